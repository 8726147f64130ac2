// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: a small residual network with random weights, of the kinds of layers and shortcuts
// that CIFAR networks have.

#include <cmath>

#include "adiabat/base/random.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {

// Input [N, 3, 8, 8], output [N, 5]. Channel counts vary with the seed, many of them odd. The first
// block keeps its size, the second halves it and shortcuts by Slice and Pad.
inline Graph residual_network(uint64_t seed) {
    Random random(seed);
    const auto count = [&](uint32_t least, uint32_t most) {
        return int64_t{least} + random.below(most - least + 1);
    };
    const int64_t stem = count(3, 9), inner1 = count(2, 11), wide = stem + 2 * count(1, 4);
    const int64_t inner2 = count(2, 17);
    GraphBuilder b;
    uint64_t serial = seed * 100;
    const auto weight = [&](Shape shape) {
        const int64_t fan = elements(shape) / shape[0];
        const auto bound = static_cast<float>(std::sqrt(3.0 / static_cast<double>(fan)));
        return b.constant(random_tensor(std::move(shape), ++serial, -bound, bound));
    };
    const auto conv = [&](ValueId x, int64_t from, int64_t to, int64_t stride, bool has_bias) {
        std::vector<ValueId> inputs = {x, weight({to, from, 3, 3})};
        if (has_bias) inputs.push_back(b.constant(random_tensor({to}, ++serial, -0.3f, 0.3f)));
        return b.node("Conv", inputs,
                      {{"kernel_shape", std::vector<int64_t>{3, 3}},
                       {"pads", std::vector<int64_t>{1, 1, 1, 1}},
                       {"strides", std::vector<int64_t>{stride, stride}}});
    };
    const auto relu = [&](ValueId x) { return b.node("Relu", {x}); };

    ValueId x = relu(conv(b.input({kUnknown, 3, 8, 8}), 3, stem, 1, true));
    ValueId y = conv(relu(conv(x, stem, inner1, 1, true)), inner1, stem, 1, seed % 2 == 0);
    x = relu(b.node("Add", {y, x}));
    y = conv(relu(conv(x, stem, inner2, 2, true)), inner2, wide, 1, true);
    const ValueId half =
        b.node("Slice", {x, b.ints({0, 0}), b.ints({1000, 1000}), b.ints({2, 3}), b.ints({2, 2})});
    const int64_t more = (wide - stem) / 2;
    const ValueId padded = b.node("Pad", {half, b.ints({0, more, 0, 0, 0, more, 0, 0})});
    x = relu(b.node("Add", {y, padded}));
    x = b.node("ReduceMean", {x}, {{"axes", std::vector<int64_t>{2, 3}}, {"keepdims", int64_t{0}}});
    x = b.node("Gemm", {x, weight({5, wide}), b.constant(random_tensor({5}, ++serial))},
               {{"transB", int64_t{1}}});
    b.graph.outputs = {x};
    b.graph.name = "residual";
    b.graph.ir_version = 7;
    infer_shapes(b.graph);
    return b.graph;
}

}  // namespace adiabat::net
