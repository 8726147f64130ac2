// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: small networks with random weights, one for each way in which channels meet.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {

// A builder with the layers that networks are made of. Inputs are [N, 3, 8, 8].
struct NetworkBuilder : GraphBuilder {
    explicit NetworkBuilder(int opset = 13) : GraphBuilder(opset) {}

    ValueId weight(Shape shape) { return constant(random_tensor(std::move(shape), ++serial)); }
    ValueId image() { return input("x", {kUnknown, 3, 8, 8}); }
    ValueId conv(ValueId x, int64_t from, int64_t to, int64_t kernel = 1, int64_t groups = 1) {
        const int64_t pad = kernel / 2;
        return node("Conv", {x, weight({to, from / groups, kernel, kernel}), weight({to})},
                    {{"group", groups}, {"pads", Ints{pad, pad, pad, pad}}});
    }
    ValueId relu(ValueId x) { return node("Relu", {x}); }
    ValueId reshape(ValueId x, const Ints& shape) { return node("Reshape", {x, ints(shape)}); }
    ValueId transpose(ValueId x, const Ints& order) {
        return node("Transpose", {x}, {{"perm", order}});
    }
    // Pools and classifies, so that nothing but the classifier leaves the network.
    Graph classify(ValueId x, int64_t channels) {
        x = node("Flatten", {node("GlobalAveragePool", {x})});
        return finish(
            node("Gemm", {x, weight({5, channels}), weight({5})}, {{"transB", int64_t{1}}}));
    }
    Graph finish(ValueId x) {
        graph.outputs = {x};
        infer_shapes(graph);
        return graph;
    }

    uint64_t serial = 0;
};

struct Architecture {
    const char* name;
    std::function<Graph()> build;
    int groups;  // that can be cut
};

inline Graph squeeze_and_excitation() {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 8, 3));
    const ValueId squeezed = b.relu(b.conv(b.node("GlobalAveragePool", {x}), 8, 2));
    const ValueId gate = b.node("Sigmoid", {b.conv(squeezed, 2, 8)});
    return b.classify(b.node("Mul", {x, gate}), 8);
}

// Reshape, Transpose, Reshape, as exporters write a channel shuffle, between grouped convolutions.
inline Graph channel_shuffle(int64_t groups) {
    NetworkBuilder b;
    ValueId x = b.relu(b.conv(b.image(), 3, 12, 3));
    x = b.reshape(x, {-1, groups, 12 / groups, 8, 8});
    x = b.reshape(b.transpose(x, {0, 2, 1, 3, 4}), {-1, 12, 8, 8});
    return b.classify(b.relu(b.conv(x, 12, 6, 1)), 6);
}

// One half goes on, the other through a branch; joined and shuffled, twice.
inline Graph split_and_shuffle() {
    NetworkBuilder b;
    ValueId x = b.relu(b.conv(b.image(), 3, 8, 3));
    for (int k = 0; k < 2; ++k) {
        const auto halves = b.nodes("Split", {x}, 2, {{"axis", int64_t{1}}});
        ValueId y = b.conv(b.conv(b.relu(b.conv(halves[1], 4, 4)), 4, 4, 3, 4), 4, 4);
        x = b.node("Concat", {halves[0], y}, {{"axis", int64_t{1}}});
        x = b.transpose(b.reshape(x, {-1, 2, 4, 8, 8}), {0, 2, 1, 3, 4});
        x = b.reshape(x, {-1, 8, 8, 8});
    }
    return b.classify(x, 8);
}

// Every convolution reads all before it; batch normalization is left unfused before it.
inline Graph dense_block() {
    NetworkBuilder b;
    ValueId x = b.conv(b.image(), 3, 5, 3);
    int64_t channels = 5;
    for (int k = 0; k < 3; ++k) {
        const ValueId variance = b.constant(random_tensor({channels}, 90, 0.5f, 1.5f));
        const ValueId y =
            b.relu(b.node("BatchNormalization", {x, b.weight({channels}), b.weight({channels}),
                                                 b.weight({channels}), variance}));
        x = b.node("Concat", {x, b.conv(y, channels, 4, 3)}, {{"axis", int64_t{1}}});
        channels += 4;
    }
    return b.classify(x, channels);
}

inline Graph grouped(int64_t groups, int64_t channels, int64_t filters) {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, channels));
    return b.classify(b.conv(b.relu(b.conv(x, channels, filters, 3, groups)), filters, 7), 7);
}

inline Graph transposed(int64_t groups) {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 6));
    const ValueId w = b.weight({6, 4, 2, 2}), bias = b.weight({4 * groups});
    const ValueId up =
        b.node("ConvTranspose", {x, w, bias}, {{"group", groups}, {"strides", Ints{2, 2}}});
    return b.classify(b.conv(b.relu(up), 4 * groups, 5), 5);
}

inline Graph flatten_to_gemm() {
    NetworkBuilder b;
    const ValueId x = b.node("MaxPool", {b.relu(b.conv(b.image(), 3, 6, 3))},
                             {{"kernel_shape", Ints{4, 4}}, {"strides", Ints{4, 4}}});
    const ValueId flat = b.reshape(x, {-1, 24});
    const ValueId y = b.relu(b.node("Gemm", {flat, b.weight({24, 9}), b.weight({9})}));
    return b.finish(b.node("MatMul", {y, b.weight({9, 4})}));
}

// Flattened, scaled, and given its shape back.
inline Graph flatten_and_back() {
    NetworkBuilder b;
    const ValueId x = b.reshape(b.relu(b.conv(b.image(), 3, 6, 3)), {0, 384});
    const ValueId scaled = b.node("Mul", {x, b.weight({384})});
    return b.classify(b.conv(b.reshape(scaled, {-1, 6, 8, 8}), 6, 3), 3);
}

// Multi-head attention over pixels: heads split the channels of queries, keys and values.
inline Graph attention() {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 10, 3));
    const ValueId tokens = b.transpose(b.reshape(x, {0, 10, 64}), {0, 2, 1});
    const auto project = [&](const Ints& order) {
        const ValueId y =
            b.node("Add", {b.node("MatMul", {tokens, b.weight({10, 12})}), b.weight({12})});
        return b.transpose(b.reshape(y, {0, 64, 3, 4}), order);
    };
    const ValueId q = project({0, 2, 1, 3}), k = project({0, 2, 3, 1}), v = project({0, 2, 1, 3});
    const ValueId weights = b.node("Softmax", {b.node("MatMul", {q, k})}, {{"axis", int64_t{-1}}});
    const ValueId mixed = b.transpose(b.node("MatMul", {weights, v}), {0, 2, 1, 3});
    const ValueId y = b.node("MatMul", {b.reshape(mixed, {0, 64, 12}), b.weight({12, 6})});
    return b.classify(b.reshape(b.transpose(y, {0, 2, 1}), {0, 6, 8, 8}), 6);
}

inline Graph einsum() {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 6));
    const ValueId y =
        b.node("Einsum", {x, b.weight({4, 6})}, {{"equation", std::string("nchw, oc -> nohw")}});
    const ValueId alike = b.node("Einsum", {y, y}, {{"equation", std::string("nchw,nchw->nhw")}});
    return b.finish(b.node("Mul", {alike, b.weight({1})}));
}

inline Graph pixel_shuffle(const std::string& mode) {
    NetworkBuilder b;
    const ValueId x = b.conv(b.image(), 3, 12, 3);
    const ValueId up = b.node("DepthToSpace", {x}, {{"blocksize", int64_t{2}}, {"mode", mode}});
    const ValueId down = b.node("SpaceToDepth", {b.relu(up)}, {{"blocksize", int64_t{2}}});
    return b.classify(b.conv(down, 12, 4), 4);
}

// As PixelShuffle is exported without DepthToSpace.
inline Graph pixel_shuffle_by_reshape() {
    NetworkBuilder b;
    ValueId x = b.reshape(b.conv(b.image(), 3, 12, 3), {-1, 3, 2, 2, 8, 8});
    x = b.reshape(b.transpose(x, {0, 1, 4, 2, 5, 3}), {-1, 3, 16, 16});
    return b.classify(b.conv(x, 3, 4), 4);
}

// Encoder and decoder with a skip connection, resized by sizes.
inline Graph u_net() {
    NetworkBuilder b;
    const ValueId fine = b.relu(b.conv(b.image(), 3, 5, 3));
    const ValueId coarse = b.relu(b.conv(
        b.node("AveragePool", {fine}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{2, 2}}}), 5,
        6, 3));
    const ValueId up = b.node("Resize", {coarse, kNoValue, b.floats({4}, {1, 1, 2, 2})},
                              {{"mode", std::string("nearest")}});
    const ValueId joined = b.node("Concat", {up, fine}, {{"axis", int64_t{-3}}});
    return b.classify(b.relu(b.conv(joined, 11, 4, 3)), 4);
}

inline Graph slices_and_pads() {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 9, 3));
    const auto slice = [&](int64_t start, int64_t end, int64_t step) {
        return b.node("Slice", {x, b.ints({start}), b.ints({end}), b.ints({1}), b.ints({step})});
    };
    const ValueId middle = slice(2, -2, 1), odd = slice(1, 1000, 2);
    const ValueId padded = b.node("Pad", {middle, b.ints({0, 1, 0, 0, 0, 3, 0, 0})});
    const ValueId sum = b.node("Add", {padded, b.conv(odd, 4, 9)});
    const ValueId picked =
        b.node("Gather", {sum, b.ints({8, 0, -2, 3, 3})}, {{"axis", int64_t{1}}});
    return b.classify(b.relu(b.conv(picked, 5, 4)), 4);
}

inline Graph normalizations() {
    NetworkBuilder b;
    ValueId x =
        b.node("InstanceNormalization", {b.conv(b.image(), 3, 6, 3), b.weight({6}), b.weight({6})});
    x = b.node("PRelu", {x, b.weight({6, 1, 1})});
    x = b.node("Mul", {b.conv(x, 6, 5), b.weight({1, 5, 1, 1})});
    x = b.node("Sub", {b.weight({5, 1, 1}), x});
    return b.classify(b.node("Clip", {x, b.scalar<float>(-1), b.scalar<float>(2)}), 5);
}

// Channels of one group are normalized together.
inline Graph group_normalized() {
    NetworkBuilder b(21);
    ValueId x =
        b.node("GroupNormalization", {b.conv(b.image(), 3, 12, 3), b.weight({12}), b.weight({12})},
               {{"num_groups", int64_t{4}}});
    x = b.node("GroupNormalization", {b.conv(b.relu(x), 12, 6), b.weight({6}), b.weight({6})},
               {{"num_groups", int64_t{3}}});
    return b.classify(x, 6);
}

inline Graph group_normalized_by_reshape() {
    NetworkBuilder b;
    ValueId x = b.conv(b.image(), 3, 12, 3);
    const ValueId grouped = b.reshape(x, {0, 4, -1});
    x = b.node("InstanceNormalization", {grouped, b.weight({4}), b.weight({4})});
    x = b.reshape(x, {-1, 12, 8, 8});
    x = b.node("Add", {b.node("Mul", {x, b.weight({12, 1, 1})}), b.weight({12, 1, 1})});
    return b.classify(b.relu(b.conv(b.relu(x), 12, 5)), 5);
}

inline Graph tiled_gate() {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 6, 3));
    const ValueId one = b.node("Sigmoid", {b.conv(x, 6, 1)});
    const ValueId tiled = b.node("Tile", {one, b.ints({1, 6, 1, 1})});
    const ValueId spread = b.node("Expand", {one, b.ints({1, 6, 8, 8})});
    return b.classify(b.node("Add", {b.node("Mul", {x, tiled}), spread}), 6);
}

// A sum over channels ignores those that are cut, a mean over pixels keeps them apart.
inline Graph sums() {
    NetworkBuilder b;
    const ValueId x = b.relu(b.conv(b.image(), 3, 6, 3));
    const ValueId map = b.node("ReduceSum", {x, b.ints({1})});
    const ValueId gated = b.node("Mul", {x, b.node("Sigmoid", {map})});
    const ValueId pooled = b.node("ReduceMean", {gated}, {{"axes", Ints{2, 3}}});
    return b.finish(b.node("Gemm", {b.node("Flatten", {pooled}), b.weight({6, 4})}));
}

// The image goes on beside the channels; only those of the last convolution can be cut.
inline Graph joined_with_the_image() {
    NetworkBuilder b;
    const ValueId image = b.image();
    const ValueId sum = b.node("Add", {image, b.conv(image, 3, 3, 3)});
    const ValueId joined =
        b.node("Concat", {image, b.relu(b.conv(sum, 3, 4))}, {{"axis", int64_t{1}}});
    return b.classify(b.relu(b.conv(joined, 7, 5)), 5);
}

// As Keras networks are exported: channels last, transposed around every convolution.
inline Graph channels_last() {
    NetworkBuilder b;
    ValueId x = b.input("x", {kUnknown, 8, 8, 3});
    const auto conv = [&](ValueId y, int64_t from, int64_t to) {
        y = b.conv(b.transpose(y, {0, 3, 1, 2}), from, to, 3);
        return b.node("Add", {b.transpose(y, {0, 2, 3, 1}), b.weight({to})});
    };
    x = b.relu(conv(x, 3, 6));
    x = b.node("Add", {x, b.relu(conv(x, 6, 6))});
    x = b.node("ReduceMean", {x}, {{"axes", Ints{1, 2}}, {"keepdims", int64_t{0}}});
    return b.finish(b.node("MatMul", {x, b.weight({6, 4})}));
}

inline Graph layer_normalized() {
    NetworkBuilder b(17);
    ValueId x = b.transpose(b.conv(b.image(), 3, 6, 3), {0, 2, 3, 1});
    x = b.node("LayerNormalization", {x, b.weight({6}), b.weight({6})});
    x = b.node("MatMul", {x, b.weight({6, 9})});
    x = b.node("MatMul", {b.node("Tanh", {x}), b.weight({9, 6})});
    return b.classify(b.transpose(x, {0, 3, 1, 2}), 6);
}

// All of them, with the number of groups that can be cut.
inline std::vector<Architecture> architectures() {
    return {
        {"squeeze and excitation", squeeze_and_excitation, 8 + 2},
        {"shuffle in 2", [] { return channel_shuffle(2); }, 12 + 6},
        {"shuffle in 3", [] { return channel_shuffle(3); }, 12 + 6},
        {"split and shuffle", split_and_shuffle, 8 + 2 * 2 * 4},
        {"dense block", dense_block, 5 + 3 * 4},
        {"grouped, few", [] { return grouped(2, 12, 8); }, 6 + 4 + 7},
        {"grouped, many", [] { return grouped(4, 8, 12); }, 4 + 7},
        {"depthwise", [] { return grouped(8, 8, 8); }, 8 + 7},
        {"depthwise, two filters each", [] { return grouped(6, 6, 12); }, 6 + 7},
        {"transposed", [] { return transposed(1); }, 6 + 4 + 5},
        {"transposed, grouped", [] { return transposed(2); }, 3 + 4 + 5},
        {"transposed, many groups", [] { return transposed(3); }, 3 + 5},
        {"flatten to Gemm", flatten_to_gemm, 6 + 9},
        {"flatten and back", flatten_and_back, 6 + 3},
        {"attention", attention, 10 + 4 + 4 + 6},
        {"einsum", einsum, 6 + 4},
        {"pixel shuffle DCR", [] { return pixel_shuffle("DCR"); }, 3 + 4},
        {"pixel shuffle CRD", [] { return pixel_shuffle("CRD"); }, 3 + 4},
        {"pixel shuffle by Reshape", pixel_shuffle_by_reshape, 3 + 4},
        {"u-net", u_net, 5 + 6 + 4},
        {"slices and pads", slices_and_pads, 9 + 4 + 4},
        {"normalizations", normalizations, 6 + 5},
        {"group normalization", group_normalized, 4 + 3},
        {"group normalization by Reshape", group_normalized_by_reshape, 4 + 5},
        {"tiled gate", tiled_gate, 6},
        {"sums", sums, 6},
        {"joined with the image", joined_with_the_image, 4 + 5},
        {"channels last", channels_last, 6},
        {"layer normalization", layer_normalized, 9 + 6},
    };
}

}  // namespace adiabat::net
