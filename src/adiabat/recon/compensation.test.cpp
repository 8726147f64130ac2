// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/compensation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/moments.test.h"

namespace adiabat::recon {
namespace {

// The naive twin: the normal equations of the columns that stay.
Matrix weights_without(const Moments& moments, const Matrix& weights, const std::vector<int>& set) {
    Matrix h = moments.inputs;
    h.diagonal().array() += damping_of(moments);
    std::vector<int> rest;
    for (int k = 0; k < h.rows(); ++k) {
        if (std::find(set.begin(), set.end(), k) == set.end()) rest.push_back(k);
    }
    const Matrix right = weights * h(Eigen::all, rest);
    const Matrix kept = h(rest, rest).ldlt().solve(right.transpose()).transpose();
    Matrix result = Matrix::Zero(weights.rows(), weights.cols());
    result(Eigen::all, rest) = kept;
    return result;
}

double weighted_error(const Moments& moments, const Matrix& change, const Vector& s) {
    Matrix h = moments.inputs;
    h.diagonal().array() += damping_of(moments);
    return (s.asDiagonal() * change * h * change.transpose()).trace();
}

class Sets : public ::testing::TestWithParam<std::vector<int>> {};

TEST_P(Sets, AreCompensatedAsTheNormalEquationsSay) {
    const std::vector<int> set = GetParam();
    const testing::Sample sample = testing::sample(300, 12, 5, 7);
    const Moments moments = testing::moments_of(sample);
    const Compensation compensation(moments);
    const Matrix& w = sample.weights;
    const Matrix expected = weights_without(moments, w, set);
    Matrix columns(w.rows(), static_cast<Eigen::Index>(set.size()));
    for (size_t i = 0; i < set.size(); ++i)
        columns.col(static_cast<Eigen::Index>(i)) = w.col(set[i]);
    const Matrix change = -columns * compensation.residual_rows(set);
    EXPECT_LT((w + change - expected).norm(), 1e-8 * w.norm());

    const Vector s = Vector::LinSpaced(w.rows(), 0.5, 2.0);
    const double error = compensation.error(set, weighted_square(w, s));
    EXPECT_NEAR(error, weighted_error(moments, change, s), 1e-8 * error);
}

INSTANTIATE_TEST_SUITE_P(All, Sets,
                         ::testing::Values(std::vector<int>{0}, std::vector<int>{11},
                                           std::vector<int>{3, 7}, std::vector<int>{8, 1, 4, 5}));

TEST(Compensation, ChannelsThatStandInForEachOtherCostMoreTogether) {
    testing::Sample sample = testing::sample(500, 8, 4, 9);
    sample.x.col(5) = sample.x.col(2) + 0.05f * sample.x.col(5);
    const Moments moments = testing::moments_of(sample);
    const Compensation compensation(moments);
    const Matrix q = weighted_square(sample.weights, Vector::Ones(4));
    const std::vector<int> a = {2}, b = {5};
    EXPECT_GT(compensation.joint_ratio(a, b, q), 1.5);
}

TEST(Compensation, AnInputThatNeverChangesCostsLittle) {
    testing::Sample sample = testing::sample(200, 6, 3, 11);
    sample.x.col(4).setConstant(0.7f);
    const Compensation compensation(testing::moments_of(sample));
    const Matrix q = weighted_square(sample.weights, Vector::Ones(3));
    const std::vector<int> still = {4}, other = {1};
    EXPECT_LT(compensation.error(still, q), 0.1 * compensation.error(other, q));
}

TEST(Compensation, NoInputsAtAllAreNoTrouble) {
    Moments moments;
    moments.rows = 10;
    moments.inputs = Matrix::Zero(3, 3);
    const Compensation compensation(moments);
    const std::vector<int> set = {1};
    EXPECT_TRUE(std::isfinite(compensation.error(set, Matrix::Identity(3, 3))));
    EXPECT_TRUE(compensation.residual_rows(set).allFinite());
}

}  // namespace
}  // namespace adiabat::recon
