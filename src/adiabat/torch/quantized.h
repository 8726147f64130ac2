// SPDX-License-Identifier: Apache-2.0
#pragma once

// Integer layers, evaluated as ONNX Runtime's integer kernels (MLAS) do:
//
//   acc  = sum (x - zx)(w - zw) + b                    exactly, in integers; padding counts as x =
//   zx code = clamp(round(float(acc) * (sx sw / sy)) + zy)   round to nearest even, factor in float
//   real = float(acc) * (sx sw)                        where the output is not quantized
//
// The sums run as float convolutions over integers, which are exact as long as no partial sum can
// leave
// +-2^24: max over filters of sum |w - zw| * max |x - zx| + |b|, known beforehand. A layer beyond
// that is cut into groups of input channels that are within it, whose sums are added in double. So
// the fast float kernels serve, and the result does not depend on any order of summation.

#include <array>
#include <functional>
#include <vector>

#include "adiabat/torch/operators.h"
#include "adiabat/torch/plan.h"

namespace adiabat::torch {

// Weights and factors of an integer layer, made once.
struct PreparedLayer {
    std::vector<at::Tensor> weights;  // w - zw; one for each group of input channels
    std::vector<int64_t> widths;      // channels of each group, counted in one convolution group
    at::Tensor bias;  // float where one exact sum holds it, else double; may be undefined
    at::Tensor to_real,
        to_codes;  // per filter, shaped to multiply the output; to_codes may be undefined
    float zero_x = 0, zero_y = 0;
    float lowest = 0, highest = 0;  // of code - zy, the Relu included
    bool wide = false;              // sums are added in double
};

// `largest_exact` is 2^24 but for tests.
PreparedLayer prepare_layer(const net::Graph& graph, const IntegerLayer& layer,
                            const std::function<at::Tensor(net::ValueId)>& constant,
                            net::DType type_of_x, double largest_exact = 16777216.0);

// The layer's outputs {real, rectified, codes}; those not in `wanted` stay undefined. call.in[0]
// are the codes of x.
std::array<at::Tensor, 3> run_layer(const Call& call, const PreparedLayer& layer,
                                    const std::array<bool, 3>& wanted);

}  // namespace adiabat::torch
