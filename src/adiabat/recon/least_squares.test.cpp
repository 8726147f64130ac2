// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/least_squares.h"

#include <gtest/gtest.h>

#include <vector>

#include "adiabat/recon/moments.test.h"

namespace adiabat::recon {
namespace {

using testing::sample, testing::moments_of;

double objective(const Moments& moments, const Matrix& weights, const Matrix& given) {
    return squared_errors(moments, weights).sum() +
           damping_of(moments) * (weights - given).squaredNorm();
}

TEST(LeastSquares, NoStepLowersTheObjective) {
    const auto s = sample(400, 6, 3, 3);
    const Moments moments = moments_of(s);
    const Matrix given = 0.7 * s.weights;
    const Matrix found = reconstructed(moments, given);
    const double least = objective(moments, found, given);
    EXPECT_LT(least, objective(moments, given, given));
    for (Eigen::Index k = 0; k < found.size(); ++k) {
        for (const double step : {-1e-3, 1e-3}) {
            Matrix moved = found;
            moved.data()[k] += step;
            EXPECT_GT(objective(moments, moved, given), least);
            // The gradient is zero: the slope of both sides is the curvature's.
            EXPECT_NEAR(objective(moments, moved, given), least, 1e-5);
        }
    }
}

TEST(LeastSquares, WhatIsCutIsMadeGoodByItsTwin) {
    // Input 1 is input 0 again; without input 1 the weight of input 0 becomes the sum of both.
    auto s = sample(2000, 4, 2, 4);
    s.x.col(1) = s.x.col(0);
    s.t = (s.x.cast<double>() * s.weights.transpose()).cast<float>();
    Rows kept(2000, 3);
    kept << s.x.col(0), s.x.col(2), s.x.col(3);
    Matrix given(2, 3);
    given << s.weights.col(0), s.weights.col(2), s.weights.col(3);
    MomentSums sums(kept.row(0), s.t.row(0));
    sums.add(kept, s.t);
    const Moments moments = sums.moments();
    const Matrix found = reconstructed(moments, given);
    EXPECT_LT(squared_errors(moments, found).sum(), 1e-3 * squared_errors(moments, given).sum());
    for (Eigen::Index f = 0; f < 2; ++f)
        EXPECT_NEAR(found(f, 0), s.weights(f, 0) + s.weights(f, 1), 0.03);
}

TEST(LeastSquares, TakesInputsWithoutFullRank) {
    auto s = sample(100, 5, 2, 5);
    s.x.col(4) = s.x.col(3);
    s.x.col(2).setConstant(2);
    const Moments moments = moments_of(s);
    const Matrix found = reconstructed(moments, s.weights);
    EXPECT_TRUE(found.allFinite());
    // A constant says nothing of its weight.
    EXPECT_NEAR(found(0, 2), s.weights(0, 2), 1e-3);

    // Rounding may leave a direction slightly negative.
    Matrix h = Matrix::Identity(3, 3);
    h(2, 2) = -0.5;
    EXPECT_EQ(damped_factor(h, 1e-3).info(), Eigen::Success);

    s.x.setConstant(1);
    EXPECT_EQ(reconstructed(moments_of(s), s.weights), s.weights);
}

// Two filters; what is to be given besides is a function of the inputs for the first, noise that
// they do not know of for the second.
TEST(LeastSquares, AdditionsAreTakenWhereTheyCanBeForetold) {
    const auto s = sample(400, 20, 2, 6);
    Random random(7, 1);
    Rows both(s.t.rows(), 4);
    both.leftCols(2) = s.t;
    both.col(2) = 0.4f * s.x.col(3) - 0.2f * s.x.col(11);
    both.col(3) = Rows::NullaryExpr(s.t.rows(), 1, [&] { return random.uniform_float() - 0.5f; });
    std::vector<MomentSums> halves(2, MomentSums(s.x.row(0), both.row(0)));
    halves[0].add(s.x.topRows(200), both.topRows(200));
    halves[1].add(s.x.bottomRows(200), both.bottomRows(200));
    MomentSums all(s.x.row(0), both.row(0));
    all.add(s.x, both);
    const Moments whole = all.moments();
    const Moments found =
        with_additions(whole, foretold({halves[0].moments(), halves[1].moments()}, whole));
    ASSERT_EQ(found.targets.rows(), 2);
    EXPECT_LT((found.targets.row(0) - whole.targets.row(0) - whole.targets.row(2)).norm(), 1e-12);
    EXPECT_LT((found.targets.row(1) - whole.targets.row(1)).norm(), 1e-12);
    EXPECT_EQ(found.inputs, whole.inputs);
}

}  // namespace
}  // namespace adiabat::recon
