// SPDX-License-Identifier: Apache-2.0
//
// Factored walks equal a plain walk in double with the same draws, on every instruction set and
// however replicas are put together; they keep the contract of walkers and the Boltzmann
// distribution.
#include "adiabat/anneal/factored_walkers.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>

#include "adiabat/anneal/kernels/draws.h"
#include "adiabat/anneal/walkers.test.h"

namespace adiabat::anneal {
namespace {

// Fields of order `scale`: squares of both signs and a budget; blocks on a half of the variables.
qubo::Factored random_factored(int n, int rank, bool blocks, double scale = 1) {
    Random random(static_cast<uint64_t>(n), static_cast<uint32_t>(rank));
    const auto value = [&] { return 2 * random.uniform() - 1; };
    qubo::Factored problem(n);
    problem.add_offset(scale * value());
    std::vector<double> columns, constants, weights;
    const double size = std::sqrt(scale / std::sqrt(n * (rank + 1.0)));
    for (int k = 0; k < n * rank; ++k) columns.push_back(size * value());
    for (int k = 0; k < rank; ++k) {
        constants.push_back(size * value());
        weights.push_back(k % 3 == 1 ? -0.7 : 1.3);
    }
    problem.add_squares(columns, constants, weights);
    std::vector<qubo::Term> budget;
    for (int i = 0; i < n; ++i) {
        problem.add_linear(i, scale * value());
        budget.push_back({i, 1 + random.uniform()});
    }
    problem.add_squared(budget, -0.6 * n, 0.05 * scale);
    const int half = n / 4;
    for (int first = 1; blocks && half > 0 && first < 2 * half; first += half) {
        const auto length = static_cast<size_t>(half);
        std::vector<double> matrix(length * length);
        for (size_t i = 0; i < length; ++i) {
            for (size_t j = 0; j <= i; ++j)
                matrix[i * length + j] = matrix[j * length + i] = scale * value() / half;
        }
        problem.add_block(first, half, matrix);
    }
    return problem;
}

// In double, every field from the problem's definition.
std::vector<std::vector<uint8_t>> naive_walk(const qubo::Factored& problem, int replicas,
                                             int sweeps) {
    std::vector<std::vector<uint8_t>> states, lowest;
    const std::vector<double> betas = spread_betas(replicas, 0.05, 5.0);
    const qubo::Dense dense = problem.dense();
    for (int r = 0; r < replicas; ++r) {
        auto x = random_bits(problem.variables(), static_cast<uint64_t>(r));
        auto best = x;
        for (int s = 0; s < sweeps; ++s) {
            for (int i = 0; i < problem.variables(); ++i) {
                const auto k = static_cast<size_t>(i);
                double field = dense.linear(i);
                for (size_t j = 0; j < x.size(); ++j) field += x[j] * dense.row(i)[j];
                const auto word =
                    draw_words(99, 7 + static_cast<uint32_t>(r), static_cast<uint32_t>(s),
                               static_cast<uint32_t>(i) / 4);
                const double change = x[k] ? -field : field;
                const auto t = static_cast<double>(threshold_of(word[k % 4]));
                if (betas[static_cast<size_t>(r)] * change <= t) x[k] ^= 1;
            }
            if (problem.energy(x) < problem.energy(best)) best = x;
        }
        states.push_back(x);
        lowest.push_back(best);
    }
    for (auto& x : lowest) states.push_back(std::move(x));
    return states;
}

class FactoredWalks : public ::testing::Test {
  protected:
    void TearDown() override { hwy::SetSupportedTargetsForTest(0); }
};

TEST_F(FactoredWalks, EqualAPlainWalkOnEveryInstructionSetInAnyGrouping) {
    constexpr int kReplicas = 9, kSweeps = 20;
    for (const bool blocks : {false, true}) {
        const auto problem = random_factored(150, 37, blocks);
        const auto expected = naive_walk(problem, kReplicas, kSweeps);
        const auto model = make_factored_model(problem, kReplicas);
        hwy::SetSupportedTargetsForTest(0);
        for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
            hwy::SetSupportedTargetsForTest(target);
            for (const int together : {1, 4, 9})
                EXPECT_EQ(walk_in_groups(*model, kReplicas, together, kSweeps), expected)
                    << hwy::TargetName(target) << ", " << together << " together";
        }
    }
}

TEST_F(FactoredWalks, KeepTheContract) {
    for (const int replicas : {1, 5}) {
        for (const bool blocks : {false, true}) {
            const auto problem = random_factored(101, 20, blocks);
            const auto model = make_factored_model(problem, replicas);
            check_contract(*model, {problem}, replicas, 1e-4);
            check_watch(*model, replicas);
        }
    }
    const auto small = random_factored(3, 0, true);
    check_contract(*make_factored_model(small, 2), {small}, 2, 1e-5);
}

TEST_F(FactoredWalks, FieldsDoNotDrift) {
    // Hot: enough flips for several refreshes of the blocks' fields.
    const auto problem = random_factored(60, 20, true);
    const auto model = make_factored_model(problem, 1);
    const auto walkers = model->walkers(1, 3, 0);
    for (uint32_t s = 0; s < 3000; ++s) walkers->sweep(std::vector<double>{0.1}, s, Watch());
    EXPECT_GT(walkers->flips(), 60 * 1000);
    const auto x = walkers->state(0);
    EXPECT_NEAR(walkers->energy(0), problem.energy(x), 1e-4);
    const auto fields = problem.fields(x);
    for (size_t i = 0; i < x.size(); ++i)
        EXPECT_NEAR(walkers->change(0, static_cast<int>(i)), (x[i] ? -1 : 1) * fields[i], 1e-5);
}

TEST_F(FactoredWalks, WalkTheSameWhateverTheScale) {
    const auto walk = [](double scale) {
        const auto problem = random_factored(80, 12, true, scale);
        const auto model = make_factored_model(problem, 1);
        const auto walkers = model->walkers(1, 3, 0);
        for (uint32_t s = 0; s < 50; ++s)
            walkers->sweep(std::vector<double>{0.1 * s / scale}, s, Watch());
        EXPECT_NEAR(walkers->energy(0), problem.energy(walkers->state(0)), 1e-4 * scale);
        return walkers->state(0);
    };
    const auto expected = walk(1);
    EXPECT_EQ(walk(0x1p-200), expected);
    EXPECT_EQ(walk(0x1p200), expected);
}

TEST_F(FactoredWalks, SampleTheBoltzmannDistribution) {
    const auto problem = random_factored(5, 3, true);
    check_boltzmann(*make_factored_model(problem, 16), {problem}, 16);
}

TEST_F(FactoredWalks, EdgeCases) {
    qubo::Factored zero(70);
    zero.add_offset(3.5);
    auto model = make_factored_model(zero, 2);
    auto walkers = model->walkers(2, 1, 0);
    walkers->sweep(std::vector<double>{1.0, 2.0}, 0, Watch());
    EXPECT_EQ(walkers->state(1), std::vector<uint8_t>(70, 1));
    EXPECT_EQ(walkers->energy(1), 3.5);
    EXPECT_EQ(walkers->flips(), 140);
    // One variable; beta 0 accepts everything.
    qubo::Factored one(1);
    one.add_squared(std::vector<qubo::Term>{{0, 1.0}}, -1.0, 1e9);
    model = make_factored_model(one, 1);
    walkers = model->walkers(1, 1, 0);
    for (uint32_t s = 0; s < 5; ++s) walkers->sweep(std::vector<double>{1.0}, s, Watch());
    EXPECT_EQ(walkers->state(0)[0], 1);
    EXPECT_NEAR(walkers->energy(0), 0, 1e-6);  // floats: 10^9 (2^-25)^2
    EXPECT_EQ(walkers->flips(), 1);
    for (uint32_t s = 0; s < 4; ++s) walkers->sweep(std::vector<double>{0.0}, s, Watch());
    EXPECT_EQ(walkers->flips(), 5);
    const qubo::Factored none(0);
    model = make_factored_model(none, 1);
    model->walkers(1, 1, 0)->sweep(std::vector<double>{1.0}, 0, Watch());
}

}  // namespace
}  // namespace adiabat::anneal
