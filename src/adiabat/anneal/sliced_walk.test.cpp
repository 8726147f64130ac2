// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/sliced_walk.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/boltzmann.test.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

// -log of the weight of slices, packed n bits each.
double action(const qubo::Problem& problem, const SliceWeights& weights, uint64_t word,
              int slices) {
    const int n = problem.variables();
    const uint64_t mask = (uint64_t{1} << n) - 1;
    double sum = 0;
    for (int m = 0; m < slices; ++m) {
        const uint64_t own = word >> (m * n) & mask, next = word >> ((m + 1) % slices * n) & mask;
        sum += weights.energy * problem.energy(testing::bits_of(own, n));
        for (int i = 0; i < n; ++i) sum -= weights.link * ((own ^ next) >> i & 1 ? -1 : 1);
    }
    return sum;
}

std::vector<double> exact(const qubo::Problem& problem, const SliceWeights& weights, int slices) {
    std::vector<double> actions;
    for (uint64_t word = 0; word < uint64_t{1} << (problem.variables() * slices); ++word)
        actions.push_back(action(problem, weights, word, slices));
    return normalized(actions);
}

uint64_t word_of_walk(const SlicedWalk& walk) {
    uint64_t word = 0;
    for (int m = 0; m < walk.slices(); ++m)
        word |= word_of(walk.slice(m).x()) << (m * walk.slice(m).variables());
    return word;
}

TEST(SlicedWalk, ASweepLeavesTheSlicesDistributionUnchanged) {
    Watch watch;
    Pace pace(watch);
    for (const auto& [n, slices] : {std::pair{2, 3}, std::pair{3, 2}, std::pair{1, 5}}) {
        const qubo::Problem problem{qubo::random_dense(n, 5)};
        const auto weights = slice_weights(2.0, 0.8, 0.9, slices);
        const auto expected = exact(problem, weights, slices);
        const Draws draws(expected);
        Random random(3, 0, static_cast<uint32_t>(n));
        std::vector<int64_t> counts(expected.size());
        const uint64_t mask = (uint64_t{1} << n) - 1;
        SlicedWalk walk(problem, slices, testing::bits_of(0, n), 9, 0);
        for (uint32_t sample = 0; sample < 200'000; ++sample) {
            const uint64_t start = draws(random);
            for (int m = 0; m < slices; ++m)
                walk.set(m, testing::bits_of(start >> (m * n) & mask, n));
            ASSERT_TRUE(walk.sweep(weights, sample, pace));
            ++counts[word_of_walk(walk)];
        }
        EXPECT_LT(testing::chi_square_sigmas(counts, expected), 4) << n << " " << slices;
    }
}

TEST(SlicedWalk, AveragesMatchTheExactSumOverSlices) {
    Watch watch;
    Pace pace(watch);
    constexpr int kVariables = 3, kSlices = 4, kSweeps = 200'000;
    const qubo::Problem problem{qubo::random_dense(kVariables, 8)};
    const auto weights = slice_weights(3.0, 0.5, 1.0, kSlices);
    const auto expected = exact(problem, weights, kSlices);
    double energy = 0, alike = 0;
    for (uint64_t word = 0; word < expected.size(); ++word) {
        energy += expected[word] * problem.energy(testing::bits_of(word & 7, kVariables));
        alike += expected[word] * ((word & 1) == (word >> kVariables & 1) ? 1 : 0);
    }
    SlicedWalk walk(problem, kSlices, testing::bits_of(5, kVariables), 4, 1);
    double mean_energy = 0, mean_alike = 0;
    for (uint32_t sweep = 0; sweep < kSweeps; ++sweep) {
        walk.sweep(weights, sweep, pace);
        mean_energy += walk.slice(0).energy() / kSweeps;
        mean_alike += (walk.slice(0).x()[0] == walk.slice(1).x()[0] ? 1.0 : 0.0) / kSweeps;
    }
    // Standard errors are near 0.002, correlations between sweeps counted.
    EXPECT_NEAR(mean_energy, energy, 0.01);
    EXPECT_NEAR(mean_alike, alike, 0.01);
    EXPECT_GT(alike, 0.6);  // slices are coupled, and not frozen
    EXPECT_LT(alike, 0.99);
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
