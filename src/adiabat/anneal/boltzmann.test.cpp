// SPDX-License-Identifier: Apache-2.0
//
// Every Monte Carlo sweep of every technique leaves the exact distribution unchanged, 10^6 samples
// each, and the same statistic finds samplers that are wrong on purpose. What takes longer is left
// to adiabat_perf_boltzmann, which prints all of it.
#include <gtest/gtest.h>

#include <cctype>

#include "adiabat/anneal/sampler_checks.test.h"

namespace adiabat::anneal {
namespace {

using testing::SamplerCheck;

std::vector<SamplerCheck> tested_checks() {
    auto checks = testing::sampler_checks();
    std::erase_if(checks,
                  [](const SamplerCheck& check) { return check.tested == testing::Tested::kNot; });
    return checks;
}

std::vector<SamplerCheck> tested_wrong() {
    auto checks = testing::sampler_checks();
    std::erase_if(checks, [](const SamplerCheck& check) {
        return check.tested != testing::Tested::kSoundAndWrong;
    });
    return checks;
}

class Boltzmann : public ::testing::TestWithParam<SamplerCheck> {};

TEST_P(Boltzmann, IsLeftUnchanged) { EXPECT_GE(GetParam().p_value({}, {}), testing::kReject); }

class WrongBoltzmann : public ::testing::TestWithParam<SamplerCheck> {};

TEST_P(WrongBoltzmann, IsFound) {
    const SamplerCheck& check = GetParam();
    for (const auto& [what, spoiled] : check.wrong)
        EXPECT_LT(check.p_value({}, spoiled), testing::kReject) << what;
}

std::string name_of(const ::testing::TestParamInfo<SamplerCheck>& info) {
    std::string name = info.param.technique + info.param.problem;
    std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
    return name;
}

INSTANTIATE_TEST_SUITE_P(Techniques, Boltzmann, ::testing::ValuesIn(tested_checks()), name_of);
INSTANTIATE_TEST_SUITE_P(Techniques, WrongBoltzmann, ::testing::ValuesIn(tested_wrong()), name_of);

// Of R. Fisher's table (1925), and against the sum for even degrees of freedom.
TEST(ChiSquare, TailsAreThoseOfTheTable) {
    EXPECT_NEAR(testing::chi_square_tail(3.841459, 1), 0.05, 1e-7);
    EXPECT_NEAR(testing::chi_square_tail(6.634897, 1), 0.01, 1e-8);
    EXPECT_NEAR(testing::chi_square_tail(18.307038, 10), 0.05, 1e-8);
    EXPECT_NEAR(testing::chi_square_tail(2.705543, 1), 0.1, 1e-7);
    EXPECT_EQ(testing::chi_square_tail(0, 7), 1);
    for (const int half : {1, 3, 15, 200}) {
        for (const double x : {0.3, 2.0, 20.0, 170.0, 260.0}) {
            double term = std::exp(-x), sum = term;
            for (int k = 1; k < half; ++k) sum += term *= x / k;
            EXPECT_NEAR(testing::chi_square_tail(2 * x, 2 * half), sum, 1e-12 + 1e-9 * sum);
        }
    }
}

// A true sampler's p-values are uniform.
TEST(ChiSquare, PValuesOfTrueSamplesAreUniform) {
    const std::vector<double> distribution{0.5, 0.2, 0.1, 0.1, 0.0999, 0.0001};
    const Draws draws(distribution);
    Random random(1);
    std::vector<int64_t> tenths(10), tenths_of_means(10);
    for (int trial = 0; trial < 2000; ++trial) {
        std::vector<int64_t> counts(distribution.size());
        std::vector<Eigen::VectorXd> vectors;
        for (int k = 0; k < 500; ++k) {
            ++counts[draws(random)];
            const double a = random.normal(), b = random.normal();
            vectors.emplace_back(Eigen::Vector3d(a, a + 0.1 * b, random.uniform() - 0.5));
        }
        ++tenths[static_cast<size_t>(9.999 * testing::chi_square_p(counts, distribution))];
        ++tenths_of_means[static_cast<size_t>(9.999 * testing::mean_zero_p(vectors))];
    }
    const std::vector<double> even(10, 0.1);
    EXPECT_GE(testing::chi_square_p(tenths, even), testing::kReject);
    EXPECT_GE(testing::chi_square_p(tenths_of_means, even), testing::kReject);
    const std::vector<int64_t> impossible{100, 1};
    EXPECT_EQ(testing::chi_square_p(impossible, std::vector<double>{1, 0}), 0);
}

}  // namespace
}  // namespace adiabat::anneal
