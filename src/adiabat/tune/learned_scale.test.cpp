// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/learned_scale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::tune {
namespace {

struct Case {
    Grid grid;
    std::vector<float> weights, scales, seed;
};

// Weights of which many are beyond the bounds; the filters lie along the axis in the middle.
Case random_case(int bits, uint64_t seed) {
    Random random(seed);
    Case c{{-(1 << (bits - 1)), (1 << (bits - 1)) - 1, 3, 4}, {}, {}, {}};
    for (int f = 0; f < 3; ++f) c.scales.push_back(0.1f + random.uniform_float());
    for (size_t k = 0; k < 2 * 3 * 4; ++k) {
        const float reach = 1.5f * static_cast<float>(-c.grid.lowest) * c.scales[c.grid.filter(k)];
        c.weights.push_back(reach * (2 * random.uniform_float() - 1));
        c.seed.push_back(2 * random.uniform_float() - 1);
    }
    return c;
}

TEST(LearnedScale, RoundsToTheNearestCode) {
    for (int bits = 2; bits <= 8; ++bits) {
        const Case c = random_case(bits, static_cast<uint64_t>(bits));
        std::vector<float> rounded(c.weights.size());
        round_weights(c.weights, c.scales, c.grid, rounded);
        for (size_t k = 0; k < rounded.size(); ++k) {
            const float scale = c.scales[k / 4 % 3];
            double least = 1e30;  // the nearest of all that can be
            for (int code = c.grid.lowest; code <= c.grid.highest; ++code) {
                least = std::min(least, std::abs(static_cast<double>(c.weights[k]) -
                                                 code * static_cast<double>(scale)));
            }
            EXPECT_NEAR(
                std::abs(static_cast<double>(c.weights[k]) - static_cast<double>(rounded[k])),
                least, 1e-5);
            EXPECT_EQ(rounded[k], static_cast<float>(code_of(c.weights[k], scale, c.grid)) * scale);
        }
    }
}

TEST(LearnedScale, WhatIsOnTheGridStaysThere) {
    const Grid grid{-128, 127, 1, 256};
    const std::vector<float> scales = {0.0137f};
    std::vector<float> weights, rounded(256);
    for (int code = -128; code < 128; ++code) weights.push_back(static_cast<float>(code) * 0.0137f);
    round_weights(weights, scales, grid, rounded);
    EXPECT_EQ(rounded, weights);
    // And gradients reach the outermost codes.
    std::vector<float> gradient(256, 1.0f), of_scales(1);
    pass_through(weights, scales, grid, gradient, of_scales);
    EXPECT_EQ(gradient, std::vector<float>(256, 1.0f));
    EXPECT_NEAR(of_scales[0], 0, 1e-3);
}

// Passing straight through is the derivative of w_q with what rounding adds held as it is:
// w_q = s (w / s + e) between the bounds, s times the bound elsewhere. That is smooth.
TEST(LearnedScale, GradientsAgreeWithDifferences) {
    for (int bits : {2, 3, 8}) {
        const Case c = random_case(bits, 10 + static_cast<uint64_t>(bits));
        std::vector<double> offsets;
        std::vector<int> clamped;
        for (size_t k = 0; k < c.weights.size(); ++k) {
            const float ratio = c.weights[k] / c.scales[c.grid.filter(k)];
            const float nearest = std::nearbyint(ratio);
            clamped.push_back(nearest < static_cast<float>(c.grid.lowest)    ? c.grid.lowest
                              : nearest > static_cast<float>(c.grid.highest) ? c.grid.highest
                                                                             : 0);
            offsets.push_back(static_cast<double>(nearest) - static_cast<double>(ratio));
        }
        const auto loss = [&](const std::vector<double>& w, const std::vector<double>& s) {
            double sum = 0;
            for (size_t k = 0; k < w.size(); ++k) {
                const double scale = s[c.grid.filter(k)];
                const double q =
                    clamped[k] != 0 ? scale * clamped[k] : scale * (w[k] / scale + offsets[k]);
                sum += static_cast<double>(c.seed[k]) * q;
            }
            return sum;
        };
        std::vector<double> w(c.weights.begin(), c.weights.end());
        std::vector<double> s(c.scales.begin(), c.scales.end());
        const auto difference = [&](double& x) {
            const double old = x, step = 1e-4;
            x = old + step;
            const double up = loss(w, s);
            x = old - step;
            const double down = loss(w, s);
            x = old;
            return (up - down) / (2 * step);
        };
        std::vector<float> gradient = c.seed, of_scales(c.scales.size());
        pass_through(c.weights, c.scales, c.grid, gradient, of_scales);
        for (size_t k = 0; k < w.size(); ++k) {
            EXPECT_NEAR(static_cast<double>(gradient[k]), difference(w[k]), 1e-4);
        }
        for (size_t f = 0; f < s.size(); ++f) {
            EXPECT_NEAR(static_cast<double>(of_scales[f]), difference(s[f]), 1e-3);
        }
        EXPECT_GT(std::ranges::count(gradient, 0.0f), 0);  // some are clamped
    }
}

}  // namespace
}  // namespace adiabat::tune
