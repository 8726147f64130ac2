// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/best_codes.h"

#include <gtest/gtest.h>

#include "adiabat/recon/moments.test.h"

namespace adiabat::recon {
namespace {

Matrix random_codes(Eigen::Index filters, Eigen::Index inputs, uint64_t seed) {
    Random random(seed, 3);
    return Matrix::NullaryExpr(filters, inputs,
                               [&] { return static_cast<double>(random.below(8)) - 4; });
}

// Of several offers the one of least error, which no other scale makes less.
TEST(BestCodes, KeepsOfEachFilterTheCodesOfLeastError) {
    const auto s = testing::sample(200, 6, 5, 1);
    const Moments moments = testing::moments_of(s);
    const std::vector<float> least(5, 0.0f);
    BestCodes best(moments, least);
    Vector lowest = Vector::Constant(5, 1e300);
    for (uint64_t k = 0; k < 20; ++k) {
        const Matrix codes = random_codes(5, 6, k);
        best.offer(codes, Vector::Constant(5, 0.01));
        for (const double scale : {0.01, 0.03, 0.1, 0.2, 0.4, 1.0})
            lowest = lowest.cwiseMin(testing::squared_errors_naive(s, scale * codes));
    }
    const Vector naive = testing::squared_errors_naive(s, values_of(best.best()));
    for (Eigen::Index f = 0; f < 5; ++f) {
        EXPECT_LE(naive[f], lowest[f] * (1 + 1e-9));
        EXPECT_NEAR(best.errors()[f] + moments.variances[f], naive[f], 1e-5);
    }
}

TEST(BestCodes, KeepsLeastScalesAndTakesCodesWithoutAny) {
    const Moments moments = testing::moments_of(testing::sample(200, 4, 2, 2));
    const std::vector<float> least = {7.0f, 0.0f};
    BestCodes best(moments, least);
    best.offer(Matrix::Zero(2, 4), Vector::Constant(2, 8.0));
    EXPECT_EQ(best.best().scales[0], 8.0f);
    EXPECT_EQ(best.errors()[1], 0);
    best.offer(random_codes(2, 4, 1), Vector::Constant(2, 9.0));
    EXPECT_GE(best.best().scales[0], 7.0f);
}

TEST(BestCodes, ValuesAreScalesTimesCodes) {
    const RoundedFilters rounded{{1, -2, 0, 3, 4, 5}, {0.5f, 2.0f}};
    EXPECT_EQ(values_of(rounded), (Matrix(2, 3) << 0.5, -1, 0, 6, 8, 10).finished());
    EXPECT_EQ(codes_of(rounded), (Matrix(2, 3) << 1, -2, 0, 3, 4, 5).finished());
}

}  // namespace
}  // namespace adiabat::recon
