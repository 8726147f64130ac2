// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/weight_effects.h"

#include <cmath>

#include "adiabat/base/threads.h"

namespace adiabat::sense {

std::vector<WeightEffects> weight_effects(const net::Graph& graph,
                                          const std::vector<net::Layer>& layers, int threads,
                                          StopToken stop) {
    std::vector<WeightEffects> effects;
    for (const net::Layer& layer : layers) {
        if (stop.requested()) throw Interrupted();
        const std::vector<float> filters = net::filters_of(graph, layer);
        const size_t width = static_cast<size_t>(layer.inputs * layer.taps);
        WeightEffects effect;
        effect.filter_mean.resize(static_cast<size_t>(layer.filters));
        // One sum a filter and width first, then their total in order: the same for any number of
        // threads.
        std::vector<std::array<double, recon::kMaxBits + 1>> errors(effect.filter_mean.size());
        parallel_for(layer.filters, threads, [&](int64_t begin, int64_t end, int) {
            for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
                const std::span filter(filters.data() + i * width, width);
                double sum = 0;
                for (float w : filter) sum += std::abs(static_cast<double>(w));
                effect.filter_mean[i] = sum / static_cast<double>(width);
                for (int bits = recon::kMinBits; bits <= recon::kMaxBits; ++bits) {
                    errors[i][static_cast<size_t>(bits)] = recon::squared_rounding_error(
                        filter, recon::best_scale(filter, bits), bits);
                }
            }
        });
        for (float w : filters) effect.power += static_cast<double>(w) * static_cast<double>(w);
        const auto count = static_cast<double>(filters.size());
        for (const auto& error : errors) {
            for (size_t bits = 0; bits < error.size(); ++bits) effect.rounding[bits] += error[bits];
        }
        for (double& error : effect.rounding) error /= count;
        effect.power /= count;
        effects.push_back(std::move(effect));
    }
    return effects;
}

}  // namespace adiabat::sense
