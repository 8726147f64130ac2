// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/sliced_walk.h"

#include <gtest/gtest.h>

#include <array>

#include "adiabat/anneal/slices.test.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

// The mean over slices of an energy and of the likeness of neighboring slices, from a walk of 10^6
// sweeps, in standard errors from the exact sums: those of the means of 1000 stretches, each far
// longer than the walk's memory.
std::array<double, 2> averages_off(const qubo::Problem& problem, int slices, double beta,
                                   double walked_beta) {
    constexpr int kStretches = 1000, kSweeps = 1000;
    const auto expected =
        testing::slices_distribution(problem, slice_weights(beta, 0.5, 1.0, slices), slices);
    const int n = problem.variables();
    const uint64_t mask = (uint64_t{1} << n) - 1;
    std::array<double, 2> exact{}, sum{}, squares{};
    for (uint64_t word = 0; word < expected.size(); ++word) {
        exact[0] += expected[word] * problem.energy(testing::bits_of(word & mask, n));
        exact[1] += expected[word] * ((word & 1) == (word >> n & 1) ? 1 : 0);
    }
    EXPECT_GT(exact[1], 0.6);  // slices are coupled, and not frozen
    EXPECT_LT(exact[1], 0.99);
    Watch watch;
    Pace pace(watch);
    SlicedWalk walk(problem, slices, testing::bits_of(5, n), 4, 1);
    const auto weights = slice_weights(walked_beta, 0.5, 1.0, slices);
    for (uint32_t stretch = 0; stretch < kStretches; ++stretch) {
        std::array<double, 2> mean{};
        for (uint32_t k = 0; k < kSweeps; ++k) {
            walk.sweep(weights, stretch * kSweeps + k, pace);
            for (int m = 0; m < slices; ++m) {
                const auto own = walk.slice(m).x(), next = walk.slice((m + 1) % slices).x();
                mean[0] += walk.slice(m).energy() / (kSweeps * slices);
                mean[1] += (own[0] == next[0] ? 1.0 : 0.0) / (kSweeps * slices);
            }
        }
        for (size_t k = 0; k < 2; ++k) {
            sum[k] += mean[k] - exact[k];
            squares[k] += (mean[k] - exact[k]) * (mean[k] - exact[k]);
        }
    }
    for (size_t k = 0; k < 2; ++k) sum[k] /= std::sqrt(squares[k]);
    return sum;
}

TEST(SlicedWalk, AveragesMatchTheExactSumOverSlices) {
    const qubo::Problem problem{qubo::random_dense(3, 8)};
    for (const double off : averages_off(problem, 4, 3.0, 3.0)) EXPECT_LT(std::abs(off), 4);
    // Two percent of temperature are seen.
    EXPECT_GT(std::abs(averages_off(problem, 4, 3.0, 3.0 * 1.02)[0]), 5);
}

// One spin in a field h along z and A along x: <s> = -h / w tanh(beta w), w^2 = h^2 + A^2. The
// slices must tend to it as they grow in number.
TEST(SlicedWalk, WeightsAreThoseOfATransverseField) {
    const double beta = 1.3, a = 0.7, h = 0.4;
    const double w = std::hypot(a, h), magnetization = -h / w * std::tanh(beta * w);
    double error = 1;
    for (const int slices : {4, 16, 64}) {
        const auto weights = slice_weights(beta, a, 1, slices);
        // The trace over slices of the transfer matrix between s and s'.
        double t[2][2], power[2][2] = {{1, 0}, {0, 1}};
        for (int s = 0; s < 2; ++s)
            for (int r = 0; r < 2; ++r)
                t[s][r] =
                    std::exp(-weights.energy * h * (2 * s - 1) + weights.link * (s == r ? 1 : -1));
        for (int m = 0; m < slices; ++m) {
            double next[2][2];
            for (int s = 0; s < 2; ++s)
                for (int r = 0; r < 2; ++r)
                    next[s][r] = power[s][0] * t[0][r] + power[s][1] * t[1][r];
            std::copy(&next[0][0], &next[0][0] + 4, &power[0][0]);
        }
        const double found = (power[1][1] - power[0][0]) / (power[1][1] + power[0][0]);
        EXPECT_LT(std::abs(found - magnetization), error / 4);
        error = std::abs(found - magnetization);
    }
    EXPECT_LT(error, 1e-3);
    EXPECT_TRUE(std::isfinite(slice_weights(beta, 0, 1, 4).link));
}

}  // namespace
}  // namespace adiabat::anneal
