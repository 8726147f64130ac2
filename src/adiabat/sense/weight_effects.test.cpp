// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/weight_effects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adiabat/net/residual_network.test.h"

namespace adiabat::sense {
namespace {

// The naive twin: every weight in turn, rounded and summed in double.
TEST(WeightEffects, AreWhatALoopOverTheWeightsGives) {
    const net::Graph graph = net::residual_network(8);
    const auto layers = net::find_layers(graph);
    const auto effects = weight_effects(graph, layers, 2);
    ASSERT_EQ(effects.size(), layers.size());
    for (size_t n = 0; n < layers.size(); ++n) {
        const auto filters = net::filters_of(graph, layers[n]);
        const auto rows = static_cast<size_t>(layers[n].filters);
        const size_t width = filters.size() / rows;
        double power = 0, error = 0;
        for (size_t i = 0; i < rows; ++i) {
            const std::span filter(filters.data() + i * width, width);
            const auto scale = static_cast<double>(recon::best_scale(filter, 3));
            double norm = 0;
            for (float weight : filter) {
                const auto w = static_cast<double>(weight);
                norm += std::abs(w);
                power += w * w;
                const double code = std::clamp(std::nearbyint(w / scale), -4.0, 3.0);
                error += (w - scale * code) * (w - scale * code);
            }
            EXPECT_NEAR(effects[n].filter_mean[i], norm / static_cast<double>(width), 1e-9);
        }
        const auto count = static_cast<double>(filters.size());
        EXPECT_NEAR(effects[n].power, power / count, 1e-9);
        EXPECT_NEAR(effects[n].rounding[3], error / count, 1e-3 * error / count + 1e-12);
        for (size_t bits = recon::kMinBits; bits < recon::kMaxBits; ++bits) {
            EXPECT_GT(effects[n].rounding[bits], effects[n].rounding[bits + 1]);
        }
    }
}

TEST(WeightEffects, AreTheSameForAnyNumberOfThreadsAndStopWhenAsked) {
    const net::Graph graph = net::residual_network(9);
    const auto layers = net::find_layers(graph);
    const auto one = weight_effects(graph, layers, 1), three = weight_effects(graph, layers, 3);
    for (size_t n = 0; n < layers.size(); ++n) EXPECT_EQ(one[n].rounding, three[n].rounding);
    StopSource source;
    source.request();
    EXPECT_THROW(weight_effects(graph, layers, 1, source.token()), Interrupted);
}

}  // namespace
}  // namespace adiabat::sense
