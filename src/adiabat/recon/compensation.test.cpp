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
    const std::vector<int> a = {2}, b = {5}, both = {2, 5};
    EXPECT_GT(compensation.error(both, q),
              1.5 * (compensation.error(a, q) + compensation.error(b, q)));
}

TEST(Compensation, AnInputThatNeverChangesCostsLittle) {
    testing::Sample sample = testing::sample(200, 6, 3, 11);
    sample.x.col(4).setConstant(0.7f);
    const Compensation compensation(testing::moments_of(sample));
    const Matrix q = weighted_square(sample.weights, Vector::Ones(3));
    const std::vector<int> still = {4}, other = {1};
    EXPECT_LT(compensation.error(still, q), 0.1 * compensation.error(other, q));
}

// The least squares of targets on the columns that stay, damped towards `weights`.
Matrix fitted_without(const Moments& moments, const Matrix& weights, const std::vector<int>& set) {
    Moments towards = moments;
    towards.targets += damping_of(moments) * weights;
    Matrix h = moments.inputs;
    h.diagonal().array() += damping_of(moments);
    std::vector<int> rest;
    for (int k = 0; k < h.rows(); ++k) {
        if (std::find(set.begin(), set.end(), k) == set.end()) rest.push_back(k);
    }
    Matrix result = Matrix::Zero(weights.rows(), weights.cols());
    const Matrix right = towards.targets(Eigen::all, rest);
    result(Eigen::all, rest) = h(rest, rest).ldlt().solve(right.transpose()).transpose();
    return result;
}

// Of the damped squared error, all but the targets' variance.
double error_of(const Moments& moments, const Matrix& given, const Matrix& w, const Vector& s) {
    Matrix h = moments.inputs;
    h.diagonal().array() += damping_of(moments);
    const Matrix c = moments.targets + damping_of(moments) * given;
    return (s.asDiagonal() * (w * h * w.transpose() - 2 * w * c.transpose())).trace();
}

TEST(Compensation, AroundWhatIsLostSetsChangeSidesAsTheNormalEquationsSay) {
    testing::Sample sample = testing::sample(400, 10, 4, 23);
    Moments moments = testing::moments_of(sample);
    const Matrix given = sample.weights;
    // Targets that the inputs do not give exactly.
    moments.targets += 0.3 * Matrix::Random(4, 10).cwiseProduct(moments.targets);
    const Vector s = Vector::LinSpaced(4, 0.5, 2.0);
    const std::vector<int> lost = {1, 4, 5, 8};
    const Compensation around(moments, given, lost);
    const Matrix before = fitted_without(moments, given, lost);
    const Matrix q = weighted_square(around.coefficients(), s);
    for (const std::vector<int>& set : std::vector<std::vector<int>>{
             {0}, {4}, {2, 7}, {1, 8}, {0, 4}, {3, 9, 5, 1}, {0, 2, 3, 6, 7, 4}}) {
        std::vector<int> then = lost;
        for (int k : set) {
            const auto at = std::find(then.begin(), then.end(), k);
            at == then.end() ? then.push_back(k) : static_cast<void>(then.erase(at));
        }
        const Matrix after = fitted_without(moments, given, then);
        const double grown =
            error_of(moments, given, after, s) - error_of(moments, given, before, s);
        EXPECT_NEAR(around.error(set, q), grown, 1e-8 * std::abs(grown)) << set.size();
        const auto is_lost = [&](int k) {
            return std::find(lost.begin(), lost.end(), k) != lost.end();
        };
        if (std::any_of(set.begin(), set.end(),
                        [&](int k) { return is_lost(k) != is_lost(set[0]); }))
            continue;
        const Matrix v = around.coefficients()(Eigen::all, set);
        EXPECT_LT((before - v * around.residual_rows(set) - after).norm(), 1e-8 * after.norm());
    }
}

TEST(Compensation, AroundNothingLostIsAsIfNothingWereSaid) {
    const testing::Sample sample = testing::sample(300, 9, 4, 31);
    Moments moments = testing::moments_of(sample);
    const Matrix& w = sample.weights;
    moments.targets = w * moments.inputs;
    const Compensation plain(moments), around(moments, w, {});
    EXPECT_LT((around.coefficients() - w).norm(), 1e-9 * w.norm());
    const Matrix q = weighted_square(w, Vector::Ones(4));
    for (const std::vector<int>& set : std::vector<std::vector<int>>{{0}, {3, 7}, {8, 2, 5}}) {
        EXPECT_NEAR(around.error(set, q), plain.error(set, q), 1e-9 * plain.error(set, q));
        EXPECT_LT((around.residual_rows(set) - plain.residual_rows(set)).norm(), 1e-8);
    }
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
