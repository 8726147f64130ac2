// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/descent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace adiabat::tune {
namespace {

using Gradients = std::vector<std::vector<float>>;

Block block(std::vector<float> values, std::vector<float> units = {1}) {
    return {.values = std::move(values), .units = std::move(units)};
}

// Three steps beside the formulas.
TEST(Descent, IsAdam) {
    const DescentOptions options{.first = 0.8, .second = 0.95};
    std::vector<Block> blocks = {block({1.0f})};
    double x = 1, m = 0, v = 0;
    const double gradients[] = {2, -3, 0.5};
    for (int t = 1; t <= 3; ++t) {
        const double g = gradients[t - 1];
        m = 0.8 * m + 0.2 * g;
        v = 0.95 * v + 0.05 * g * g;
        x -= 0.1 * (m / (1 - std::pow(0.8, t))) / std::sqrt(v / (1 - std::pow(0.95, t)));
        step(blocks, Gradients{{static_cast<float>(g)}}, 0.1, t, options);
        EXPECT_NEAR(blocks[0].values[0], x, 1e-6) << t;
    }
}

// The first step is the rate, whatever the gradient.
TEST(Descent, StepsAreOfTheRate) {
    std::vector<Block> blocks = {block({0.0f, 0.0f, 0.0f}, {1, 10, 0.01f})};
    step(blocks, Gradients{{1e-3f, -1e3f, 0.0f}}, 0.02, 1, {});
    EXPECT_NEAR(blocks[0].values[0], -0.02, 1e-5);
    EXPECT_NEAR(blocks[0].values[1], 0.2, 1e-5);
    EXPECT_EQ(blocks[0].values[2], 0);
}

// A parameter with unit u is x / u: where the function is scaled back, so is every step.
TEST(Descent, UnitsAreUnits) {
    const DescentOptions options{.clip = 0.7};
    std::vector<Block> plain = {block({1.0f, -2.0f})}, scaled = {block({8.0f, -0.5f}, {8, 0.25})};
    for (int t = 1; t <= 50; ++t) {
        // Gradients of y0^4 + y1^2 + y0 y1, y = x / u.
        const auto of = [](double a, double b) { return std::pair{4 * a * a * a + b, 2 * b + a}; };
        const auto [a, b] = of(plain[0].values[0], plain[0].values[1]);
        step(plain, Gradients{{static_cast<float>(a), static_cast<float>(b)}}, 0.05, t, options);
        const auto [c, d] = of(scaled[0].values[0] / 8.0, scaled[0].values[1] / 0.25);
        step(scaled, Gradients{{static_cast<float>(c / 8), static_cast<float>(d / 0.25)}}, 0.05, t,
             options);
        ASSERT_NEAR(plain[0].values[0], scaled[0].values[0] / 8.0, 1e-3);
        ASSERT_NEAR(plain[0].values[1], scaled[0].values[1] / 0.25, 1e-3);
    }
}

// With a = b = 0 a step is r g / (|g| + epsilon): the mean that is kept shows what was clipped.
TEST(Descent, ClipsTheNormOfAll) {
    const DescentOptions options{.first = 0, .second = 0, .clip = 1};
    std::vector<Block> blocks = {block({0.0f}), block({0.0f, 0.0f})};
    EXPECT_DOUBLE_EQ(step(blocks, Gradients{{3.0f}, {0.0f, 4.0f}}, 1, 1, options), 5);
    EXPECT_NEAR(blocks[0].mean[0], 0.6, 1e-6);
    EXPECT_NEAR(blocks[1].mean[1], 0.8, 1e-6);
    EXPECT_NEAR(step(blocks, Gradients{{0.3f}, {0.0f, 0.4f}}, 1, 2, options), 0.5, 1e-7);
    EXPECT_NEAR(blocks[0].mean[0], 0.3, 1e-6);
}

TEST(Descent, WhatIsNotFiniteChangesNothing) {
    std::vector<Block> blocks = {block({1.0f, 2.0f})};
    const double norm = step(blocks, Gradients{{std::numeric_limits<float>::quiet_NaN(), 1.0f}}, 1,
                             1, DescentOptions{});
    EXPECT_FALSE(std::isfinite(norm));
    EXPECT_EQ(blocks[0].values, (std::vector<float>{1, 2}));
    EXPECT_TRUE(blocks[0].mean.empty());
}

TEST(Descent, StaysAboveTheLeast) {
    std::vector<Block> blocks = {block({1.0f, 1.0f})};
    blocks[0].least = {0.5f, 0.25f};
    step(blocks, Gradients{{9.0f, 9.0f}}, 1, 1, {});
    EXPECT_EQ(blocks[0].values, (std::vector<float>{0.5f, 0.25f}));
}

// A valley whose sides are a million times as steep as its floor.
TEST(Descent, StiffDirectionsDoNotHoldTheOthersUp) {
    std::vector<Block> blocks = {block({1.0f, 1.0f})};
    const int steps = 300;
    for (int t = 1; t <= steps; ++t) {
        const float a = blocks[0].values[0], b = blocks[0].values[1];
        step(blocks, Gradients{{1e3f * a, 1e-3f * b}}, rate_at({.rate = 0.02}, t - 1, steps), t,
             {});
    }
    EXPECT_LT(std::abs(blocks[0].values[0]), 0.05);
    EXPECT_LT(std::abs(blocks[0].values[1]), 0.05);
}

TEST(Descent, TheRateRisesAndFallsToNothing) {
    const DescentOptions options{.rate = 2, .warm_up = 0.25};
    std::vector<double> rates;
    for (int t = 0; t < 100; ++t) rates.push_back(rate_at(options, t, 100));
    EXPECT_NEAR(rates[0], 2.0 / 26, 1e-12);
    EXPECT_DOUBLE_EQ(rates[25], 2);
    for (size_t t = 1; t < 100; ++t) {
        EXPECT_EQ(rates[t] > rates[t - 1], t <= 25) << t;
    }
    EXPECT_NEAR(rates[25 + 75 / 2], 1, 0.03);
    EXPECT_GT(rates[99], 0);
    EXPECT_LT(rates[99], 0.002);
    EXPECT_DOUBLE_EQ(rate_at({.rate = 2, .warm_up = 0}, 0, 10), 2);
    EXPECT_GT(rate_at({.rate = 2, .warm_up = 1}, 9, 10), 1.8);
}

}  // namespace
}  // namespace adiabat::tune
