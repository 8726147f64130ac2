// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/descent.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace adiabat::tune {
namespace {

using Gradients = std::vector<std::vector<float>>;

Block block(std::vector<float> values, std::vector<float> units = {1}) {
    Block b{std::move(values), {}, std::move(units), 1, {}};
    b.velocity.assign(b.values.size(), 0.0f);
    return b;
}

// Two steps by hand: v = g, x -= r (1 + m) g; then v = m g + g', x -= r (g' + m v).
TEST(Descent, IsNesterovs) {
    DescentOptions options{.rate = 0.1, .momentum = 0.9, .clip = 0};
    std::vector<Block> blocks = {block({1.0f})};
    step(blocks, Gradients{{2.0f}}, 0.1, options);
    EXPECT_NEAR(blocks[0].values[0], 1 - 0.1 * 1.9 * 2, 1e-6);
    step(blocks, Gradients{{3.0f}}, 0.05, options);
    const double v = 0.9 * 2 + 3;
    EXPECT_NEAR(blocks[0].values[0], 0.62 - 0.05 * (3 + 0.9 * v), 1e-6);
}

// A parameter with unit u is x / u: where the function is scaled back, so is every step.
TEST(Descent, UnitsAreUnits) {
    const DescentOptions options{.rate = 0.05, .momentum = 0.9, .clip = 0.7};
    std::vector<Block> plain = {block({1.0f, -2.0f})}, scaled = {block({8.0f, -0.5f}, {8, 0.25})};
    for (int t = 0; t < 50; ++t) {
        // Gradients of y0^4 + y1^2 + y0 y1, y = x / u.
        const auto of = [](double a, double b) { return std::pair{4 * a * a * a + b, 2 * b + a}; };
        const auto [a, b] = of(plain[0].values[0], plain[0].values[1]);
        step(plain, Gradients{{static_cast<float>(a), static_cast<float>(b)}}, 0.05, options);
        const auto [c, d] = of(scaled[0].values[0] / 8.0, scaled[0].values[1] / 0.25);
        step(scaled, Gradients{{static_cast<float>(c / 8), static_cast<float>(d / 0.25)}}, 0.05,
             options);
        ASSERT_NEAR(plain[0].values[0], scaled[0].values[0] / 8.0, 1e-4);
        ASSERT_NEAR(plain[0].values[1], scaled[0].values[1] / 0.25, 1e-4);
    }
}

TEST(Descent, ClipsTheNormOfAll) {
    const DescentOptions options{.rate = 1, .momentum = 0, .clip = 1};
    std::vector<Block> blocks = {block({0.0f}), block({0.0f, 0.0f})};
    EXPECT_DOUBLE_EQ(step(blocks, Gradients{{3.0f}, {0.0f, 4.0f}}, 1, options), 5);
    EXPECT_NEAR(blocks[0].values[0], -0.6, 1e-6);
    EXPECT_NEAR(blocks[1].values[1], -0.8, 1e-6);
    EXPECT_NEAR(step(blocks, Gradients{{0.3f}, {0.0f, 0.4f}}, 1, options), 0.5, 1e-7);
    EXPECT_NEAR(blocks[0].values[0], -0.9, 1e-6);
}

TEST(Descent, WhatIsNotFiniteChangesNothing) {
    std::vector<Block> blocks = {block({1.0f, 2.0f})};
    const double norm = step(blocks, Gradients{{std::numeric_limits<float>::quiet_NaN(), 1.0f}}, 1,
                             DescentOptions{});
    EXPECT_FALSE(std::isfinite(norm));
    EXPECT_EQ(blocks[0].values, (std::vector<float>{1, 2}));
    EXPECT_EQ(blocks[0].velocity, (std::vector<float>{0, 0}));
}

TEST(Descent, StaysAboveTheLeast) {
    std::vector<Block> blocks = {block({1.0f, 1.0f})};
    blocks[0].least = {0.5f, 0.25f};
    step(blocks, Gradients{{9.0f, 9.0f}}, 1, {.rate = 1, .momentum = 0, .clip = 0});
    EXPECT_EQ(blocks[0].values, (std::vector<float>{0.5f, 0.25f}));
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
