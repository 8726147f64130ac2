// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/cost.h"

#include <algorithm>

namespace adiabat::net {

int64_t times(int64_t a, int64_t b) {
    int64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? kMostCounted : std::min(product, kMostCounted);
}

int64_t plus(int64_t a, int64_t b) { return std::min(a + b, kMostCounted); }

Cost& Cost::operator+=(const Cost& other) {
    parameters = plus(parameters, other.parameters);
    bytes = plus(bytes, other.bytes);
    macs = plus(macs, other.macs);
    bops = plus(bops, other.bops);
    float_macs = plus(float_macs, other.float_macs);
    activations = plus(activations, other.activations);
    return *this;
}

Cost layer_cost(const Layer& layer, const LayerState& state) {
    const int64_t weights = state.filters * state.inputs * layer.taps;
    const int64_t biases = layer.bias == kNoValue ? 0 : state.filters;
    const bool quantized = state.bits < kFloatBits;
    const int activation_bits = quantized ? state.activation_bits : kFloatBits;
    Cost cost;
    cost.parameters = weights + biases;
    // A quantized layer always has a bias: re-centring puts one there.
    cost.bytes = (weights * state.bits + 7) / 8 + 4 * (quantized ? 2 * state.filters : biases);
    cost.macs = times(layer.positions, weights);
    cost.bops = times(cost.macs, state.bits * activation_bits);
    cost.float_macs = activation_bits == kFloatBits ? cost.macs : 0;
    return cost;
}

}  // namespace adiabat::net
