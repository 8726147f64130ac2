// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/cost.h"

namespace adiabat::net {

Cost& Cost::operator+=(const Cost& other) {
    parameters += other.parameters;
    bytes += other.bytes;
    macs += other.macs;
    bops += other.bops;
    activations += other.activations;
    return *this;
}

Cost layer_cost(const Layer& layer, const LayerState& state) {
    const int64_t weights = state.filters * state.inputs * layer.taps;
    const int64_t biases = layer.bias == kNoValue ? 0 : state.filters;
    const bool quantized = state.bits < 32;
    Cost cost;
    cost.parameters = weights + biases;
    // A quantized layer always has a bias: re-centring puts one there.
    cost.bytes = (weights * state.bits + 7) / 8 + 4 * (quantized ? 2 * state.filters : biases);
    cost.macs = layer.positions * weights;
    cost.bops = cost.macs * state.bits * (quantized ? kActivationBits : 32);
    return cost;
}

Cost network_cost(std::span<const Layer> layers, std::span<const LayerState> states) {
    ADIABAT_CHECK(layers.size() == states.size(), "{} layers, {} states", layers.size(),
                  states.size());
    Cost total;
    for (size_t k = 0; k < layers.size(); ++k) total += layer_cost(layers[k], states[k]);
    return total;
}

std::vector<LayerState> untouched(std::span<const Layer> layers) {
    std::vector<LayerState> states;
    for (const Layer& layer : layers) states.push_back({layer.filters, layer.inputs, 32});
    return states;
}

}  // namespace adiabat::net
