// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// By its definition: the p for which |successes/n - p| = z sqrt(p (1 - p) / n), by bisection.
double wilson_end_naively(double observed, double n, double z, bool high) {
    double inside = observed, outside = high ? 1 : 0;
    for (int step = 0; step < 200; ++step) {
        const double p = (inside + outside) / 2;
        const bool within = std::abs(observed - p) <= z * std::sqrt(p * (1 - p) / n);
        (within ? inside : outside) = p;
    }
    return inside;
}

TEST(Statistics, NormalHalfWidthsAreTheTables) {
    EXPECT_NEAR(normal_half_width(0.95), 1.959963984540054, 1e-12);
    EXPECT_NEAR(normal_half_width(0.99), 2.575829303548901, 1e-12);
    EXPECT_NEAR(normal_half_width(0.6826894921370859), 1, 1e-12);
    EXPECT_THROW(normal_half_width(1), InternalError);
}

TEST(Statistics, WilsonIntervalsAreTheWorkedOnes) {
    // 15 of 50 at 95 %, as in textbooks: 0.1910 to 0.4375; 0 of 10: 0 to 0.2775.
    EXPECT_NEAR(wilson_interval(15, 50).low, 0.1910, 5e-5);
    EXPECT_NEAR(wilson_interval(15, 50).high, 0.4375, 5e-5);
    EXPECT_EQ(wilson_interval(0, 10).low, 0);
    EXPECT_NEAR(wilson_interval(0, 10).high, 0.2775, 5e-5);
    EXPECT_EQ(wilson_interval(10, 10).high, 1);
    EXPECT_EQ(wilson_interval(0, 0), (Interval{0, 1}));
    EXPECT_THROW(wilson_interval(3, 2), InternalError);
}

TEST(Statistics, WilsonIntervalsAreTheirNaiveTwins) {
    const double z = normal_half_width(0.95);
    for (const int64_t n : {1, 2, 7, 40, 1000}) {
        for (int64_t k = 0; k <= n; k += std::max<int64_t>(1, n / 9)) {
            const double p = static_cast<double>(k) / static_cast<double>(n);
            const Interval found = wilson_interval(k, n);
            const double m = static_cast<double>(n);
            EXPECT_NEAR(found.low, k == 0 ? 0 : wilson_end_naively(p, m, z, false), 1e-9);
            EXPECT_NEAR(found.high, k == n ? 1 : wilson_end_naively(p, m, z, true), 1e-9);
        }
    }
}

TEST(Statistics, WilsonIntervalsCoverAsTheySay) {
    constexpr int kTrials = 4000, kRuns = 60;
    constexpr double kTruth = 0.3;
    int covered = 0;
    for (uint32_t trial = 0; trial < kTrials; ++trial) {
        Random random(1, trial);
        int64_t successes = 0;
        for (int run = 0; run < kRuns; ++run) successes += random.uniform() < kTruth;
        const Interval found = wilson_interval(successes, kRuns);
        covered += found.low <= kTruth && kTruth <= found.high;
    }
    EXPECT_NEAR(covered / double{kTrials}, 0.95, 0.02);
}

TEST(Statistics, TimeToTargetIsItsDefinition) {
    // Half of the runs succeed: log2(100) = 6.644 of them; one in a thousand: 4602.9.
    EXPECT_NEAR(runs_to_target(0.5), 6.643856, 1e-6);
    EXPECT_NEAR(runs_to_target(0.001), 4602.868, 1e-3);
    EXPECT_EQ(runs_to_target(0.99), 1);
    EXPECT_EQ(runs_to_target(0.995), 1);
    EXPECT_EQ(runs_to_target(1), 1);
    EXPECT_EQ(runs_to_target(0), kInfinity);
    EXPECT_EQ(time_to_target(2.5, 1), 2.5);
    EXPECT_EQ(time_to_target(0, 0), kInfinity);
    EXPECT_NEAR(runs_to_target(1e-15), 4.605170185988e15, 1e9);
    // After R runs the chance of no success is one in a hundred.
    for (const double p : {0.01, 0.2, 0.7, 0.98})
        EXPECT_NEAR(std::pow(1 - p, runs_to_target(p)), 0.01, 1e-12) << p;
    EXPECT_THROW(runs_to_target(1.1), InternalError);
}

TEST(Statistics, QuantilesAreTheWorkedOnes) {
    EXPECT_EQ(median({3, 1, 2}), 2);
    EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
    EXPECT_DOUBLE_EQ(quantile({0, 10, 20, 30}, 0.25), 7.5);
    EXPECT_EQ(quantile({5}, 0.9), 5);
    EXPECT_EQ(quantile({1, 2}, 1), 2);
    EXPECT_EQ(median({1, kInfinity, kInfinity}), kInfinity);
    EXPECT_EQ(median({1, 2, kInfinity}), 2);
    EXPECT_EQ(median({1, kInfinity}), kInfinity);
    EXPECT_EQ(quantile({kInfinity, kInfinity, kInfinity}, 0.3), kInfinity);
    EXPECT_TRUE(std::isnan(median({})));
}

TEST(Statistics, TheBestLengthIsThatOfTheLeastTime) {
    const std::vector<RunLength> ladder = {
        {16, 0.001, 100, 0}, {32, 0.002, 100, 10}, {64, 0.004, 100, 50}, {128, 0.008, 100, 60}};
    EXPECT_EQ(best_length(ladder), 2u);
    EXPECT_NEAR(best_time_to_target(ladder), 0.004 * 6.643856, 1e-8);
    EXPECT_EQ(best_time_to_target(std::vector<RunLength>{}), kInfinity);
    EXPECT_EQ(best_time_to_target(std::vector<RunLength>{{16, 1, 9, 0}}), kInfinity);
    EXPECT_EQ(best_length(std::vector<RunLength>{{16, 1, 9, 9}, {32, 1, 9, 9}}), 0u);
}

// One length: resamples are binomial, so the interval's ends are binomial percentiles.
TEST(Statistics, BootstrapIsTheBinomialsPercentiles) {
    const std::vector<RunLength> ladder = {{1, 1.0, 100, 30}};
    const Interval found = bootstrap_time_to_target(ladder, {.resamples = 20000, .seed = 3});
    // Binomial(100, 0.3): 2.5 % at 21, 97.5 % at 39.
    EXPECT_NEAR(found.low, runs_to_target(0.39), 1e-9);
    EXPECT_NEAR(found.high, runs_to_target(0.21), 1e-9);
}

TEST(Statistics, BootstrapIsSeeded) {
    const std::vector<RunLength> ladder = {{1, 1.0, 50, 20}, {2, 2.0, 50, 33}};
    const Interval once = bootstrap_time_to_target(ladder, {.resamples = 300, .seed = 1});
    EXPECT_EQ(once, bootstrap_time_to_target(ladder, {.resamples = 300, .seed = 1}));
    EXPECT_LT(once.low, best_time_to_target(ladder));
    EXPECT_GT(once.high, best_time_to_target(ladder) * 0.999);
}

TEST(Statistics, BootstrapOfNoSuccessIsInfinite) {
    const std::vector<RunLength> ladder = {{1, 1.0, 50, 0}};
    EXPECT_EQ(bootstrap_time_to_target(ladder), (Interval{kInfinity, kInfinity}));
}

// With sure runs alone the instances are resampled: the naive twin draws medians of indices.
TEST(Statistics, BootstrapOfMediansResamplesInstances) {
    std::vector<std::vector<RunLength>> instances;
    for (int k = 1; k <= 21; ++k) instances.push_back({{1, static_cast<double>(k), 10, 10}});
    const Interval found = bootstrap_median(instances, {.resamples = 8000, .seed = 5});
    std::vector<double> medians;
    for (uint32_t resample = 0; resample < 8000; ++resample) {
        Random random(77, resample);
        std::vector<double> drawn;
        for (int k = 0; k < 21; ++k) drawn.push_back(1.0 + random.below(21));
        medians.push_back(median(drawn));
    }
    EXPECT_NEAR(found.low, quantile(medians, 0.025), 1);
    EXPECT_NEAR(found.high, quantile(medians, 0.975), 1);
    EXPECT_GT(found.high - found.low, 4);
}

}  // namespace
}  // namespace adiabat::anneal
