// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/moments.test.h"

#include <gtest/gtest.h>

namespace adiabat::recon {
namespace {

using testing::sample, testing::moments_of, testing::squared_errors_naive;

TEST(Moments, ErrorsEqualTheNaiveTwin) {
    // More rows than a block has.
    const auto s = sample(5000, 7, 3, 1);
    const Moments moments = moments_of(s);
    for (const double share : {0.0, 0.5, 1.0}) {
        const Matrix weights = share * s.weights;
        const Vector expected = squared_errors_naive(s, weights);
        const Vector found = squared_errors(moments, weights);
        for (Eigen::Index f = 0; f < 3; ++f) EXPECT_NEAR(found[f], expected[f], 2e-6);
        if (share == 0) {
            EXPECT_GT(expected[0], 1e-2);
        }
    }
}

TEST(Moments, SumsOfPartsAreTheSumOfAll) {
    const auto s = sample(300, 5, 2, 2);
    MomentSums parts(s.x.row(7), s.t.row(7)), other(s.x.row(7), s.t.row(7));
    parts.add(s.x.topRows(120), s.t.topRows(120));
    other.add(s.x.bottomRows(180), s.t.bottomRows(180));
    parts.add(other);
    const Moments whole = moments_of(s), summed = parts.moments();
    EXPECT_EQ(summed.rows, 300);
    EXPECT_LT((whole.inputs - summed.inputs).norm(), 1e-5);
    EXPECT_LT((whole.targets - summed.targets).norm(), 1e-5);
    EXPECT_LT((whole.inputs - whole.inputs.transpose()).norm(), 1e-12);
}

TEST(Moments, LittleVarianceOnALargeMeanIsNotLost) {
    auto s = sample(3000, 6, 2, 3);
    const Vector expected = squared_errors_naive(s, 0.5 * s.weights);
    s.x.array() += 1000;
    s.t.array() += 300;
    const Vector found = squared_errors(moments_of(s), 0.5 * s.weights);
    for (Eigen::Index f = 0; f < 2; ++f) EXPECT_NEAR(found[f], expected[f], 1e-3 * expected[f]);
}

}  // namespace
}  // namespace adiabat::recon
