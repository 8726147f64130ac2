// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a network costs: parameters, weight bytes, multiply-accumulates and bit operations, exactly.
//
//   parameters  weights + biases of the layers that stay
//   bytes       ceil(weights x bits / 8) + 4 a scale + 4 a bias: codes and what decodes them
//   macs        output positions x weights, for one image
//   bops        macs x weight bits x activation bits
//   float_macs  those of them whose kernel runs in float, because what it reads or makes is float
//
// In fp32, 32 bits each and no scales. Whole graphs are counted by cost_model.h. Bytes of the ONNX
// file are counted by apply/file_size.h.

#include <cstdint>

#include "adiabat/net/layers.h"

namespace adiabat::net {

// A layer as a plan leaves it.
struct LayerState {
    int64_t filters = 0;
    int64_t inputs = 0;  // that one filter reads
    int bits = 32;       // of a weight: 2 to 8, 32 for fp32, kGone for a layer that is gone
    // Of what its kernel reads and makes: kActivationBits, or kFloatBits where it runs in float; in
    // fp32 always float.
    int activation_bits = 8;
};

inline constexpr int kGone = 0;

// Products and sums of counts, which stop at kMostCounted: a hostile file may claim any size.
inline constexpr int64_t kMostCounted = int64_t{1} << 60;
int64_t times(int64_t a, int64_t b);
int64_t plus(int64_t a, int64_t b);

struct Cost {
    int64_t parameters = 0;
    int64_t bytes = 0;
    int64_t macs = 0;
    int64_t bops = 0;
    int64_t float_macs = 0;
    int64_t activations =
        0;  // peak bytes of a network, what a layer reads and writes (cost_model.h)

    Cost& operator+=(const Cost& other);
    bool operator==(const Cost&) const = default;
};

inline constexpr int kActivationBits = 8, kFloatBits = 32;

Cost layer_cost(const Layer& layer, const LayerState& state);

}  // namespace adiabat::net
