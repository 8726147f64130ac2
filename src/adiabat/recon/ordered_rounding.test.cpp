// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/ordered_rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/moments.test.h"
#include "adiabat/recon/rounding.h"

namespace adiabat::recon {
namespace {

using testing::sample, testing::moments_of;

double error_of(const Moments& moments, const RoundedFilters& rounded, Eigen::Index f) {
    const Eigen::Index d = moments.inputs.rows();
    Matrix weights = Matrix::Zero(moments.targets.rows(), d);
    for (Eigen::Index k = 0; k < d; ++k)
        weights(f, k) = static_cast<double>(rounded.scales[static_cast<size_t>(f)]) *
                        rounded.codes[static_cast<size_t>(f * d + k)];
    return squared_errors(moments, weights)[f];
}

// The twin of it is rounding.h, filter by filter.
TEST(PlainRounding, TakesTheBestScaleOfEachFilterOrTheLeastAllowed) {
    const Matrix weights = sample(10, 30, 3, 5).weights;
    const std::vector<float> least = {0.0f, 0.5f, 0.0f};
    const RoundedFilters rounded = plain_rounding(weights, 3, least);
    for (Eigen::Index f = 0; f < 3; ++f) {
        std::vector<float> filter;
        for (Eigen::Index k = 0; k < 30; ++k) filter.push_back(static_cast<float>(weights(f, k)));
        const float scale = f == 1 ? 0.5f : best_scale(filter, 3);
        std::vector<int8_t> codes(30);
        round_to_codes(filter, scale, 3, codes);
        EXPECT_EQ(rounded.scales[static_cast<size_t>(f)], scale);
        EXPECT_TRUE(std::equal(codes.begin(), codes.end(), rounded.codes.begin() + 30 * f));
    }
}

TEST(OrderedRounding, IsNeverWorseThanPlainRounding) {
    double sum = 0, plain_sum = 0;
    for (uint64_t seed = 0; seed < 40; ++seed) {
        const int bits = 2 + static_cast<int>(seed % 7);
        const auto s = sample(500, 3 + static_cast<int64_t>(seed), 4, seed);
        const Moments moments = moments_of(s);
        const std::vector<float> least(4, 0.0f);
        const Matrix weights = reconstructed(moments, s.weights);
        const RoundedFilters found =
            ordered_rounding({moments, weights, s.weights, bits, least, 2});
        const RoundedFilters twin = plain_rounding(s.weights, bits);
        for (Eigen::Index f = 0; f < 4; ++f) {
            const double ours = error_of(moments, found, f), theirs = error_of(moments, twin, f);
            EXPECT_LE(ours, theirs * (1 + 1e-6)) << seed;
            sum += ours;
            plain_sum += theirs;
        }
        for (const int8_t code : found.codes) {
            EXPECT_GE(code, lowest_code(bits));
            EXPECT_LE(code, highest_code(bits));
        }
    }
    EXPECT_LT(sum, 0.7 * plain_sum);
}

// The brain surgeon as it was first written down: an inverse for what is still free, each time.
Matrix ordered_naive(const Moments& moments, const Matrix& weights, int bits,
                     const Vector& scales) {
    const Eigen::Index d = weights.cols();
    Matrix h = moments.inputs;
    h.diagonal().array() += damping_of(moments);
    std::vector<Eigen::Index> free(static_cast<size_t>(d));
    std::iota(free.begin(), free.end(), Eigen::Index{0});
    std::ranges::stable_sort(free, std::greater<>(),
                             [&](Eigen::Index k) { return moments.inputs(k, k); });
    Matrix w = weights, codes(weights.rows(), d);
    while (!free.empty()) {
        const auto count = static_cast<Eigen::Index>(free.size());
        Matrix part(count, count);
        for (Eigen::Index i = 0; i < count; ++i) {
            for (Eigen::Index j = 0; j < count; ++j)
                part(i, j) = h(free[static_cast<size_t>(i)], free[static_cast<size_t>(j)]);
        }
        const Matrix inverse = part.inverse();
        for (Eigen::Index f = 0; f < w.rows(); ++f) {
            const double value = w(f, free[0]) / scales[f];
            codes(f, free[0]) = std::clamp(std::nearbyint(value), double(lowest_code(bits)),
                                           double(highest_code(bits)));
            const double error = (w(f, free[0]) - scales[f] * codes(f, free[0])) / inverse(0, 0);
            for (Eigen::Index j = 1; j < count; ++j)
                w(f, free[static_cast<size_t>(j)]) -= error * inverse(0, j);
        }
        free.erase(free.begin());
    }
    return codes;
}

TEST(OrderedRounding, CodesEqualTheNaiveTwin) {
    // More columns than a block has.
    for (const int64_t inputs : {1, 5, 70}) {
        const auto s = sample(900, inputs, 3, 7);
        const Moments moments = moments_of(s);
        const std::vector<float> least(3, 0.0f);
        const Vector scales = Vector::Constant(3, 0.13);
        const Matrix found = ordered_codes({moments, s.weights, s.weights, 4, least, 1}, scales);
        EXPECT_EQ(found, ordered_naive(moments, s.weights, 4, scales)) << inputs;
    }
}

TEST(OrderedRounding, ComesCloseToTheBestOfAllCodes) {
    double ours = 0, best = 0, theirs = 0;
    for (uint64_t seed = 0; seed < 30; ++seed) {
        const auto s = sample(300, 5, 1, seed + 100);
        const Moments moments = moments_of(s);
        const std::vector<float> least(1, 0.0f);
        ours +=
            error_of(moments, ordered_rounding({moments, s.weights, s.weights, 2, least, 1}), 0);
        theirs += error_of(moments, plain_rounding(s.weights, 2), 0);
        double lowest = std::numeric_limits<double>::infinity();
        for (int number = 0; number < 1 << 10; ++number) {
            Vector codes(5);
            for (int k = 0; k < 5; ++k) codes[k] = (number >> 2 * k & 3) - 2;
            const double square = codes.dot(moments.inputs * codes);
            const double dot = codes.dot(moments.targets.row(0));
            if (square > 0 && dot > 0)
                lowest = std::min(lowest, moments.variances[0] - dot * dot / square);
        }
        best += lowest;
    }
    EXPECT_GE(ours, best);
    EXPECT_LT(ours, 1.5 * best);
    EXPECT_LT(ours, theirs);
}

TEST(OrderedRounding, KeepsLeastScalesAndTakesZeros) {
    auto s = sample(100, 4, 2, 9);
    const Moments moments = moments_of(s);
    const std::vector<float> least = {5.0f, 0.0f};
    Matrix weights = s.weights;
    weights.row(1).setZero();
    const RoundedFilters found = ordered_rounding({moments, weights, weights, 4, least, 1});
    EXPECT_GE(found.scales[0], 5.0f);
    EXPECT_GT(found.scales[1], 0.0f);
}

}  // namespace
}  // namespace adiabat::recon
