// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/fold.h"

#include <gtest/gtest.h>

#include <limits>

#include "adiabat/base/random.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

// The constant that the last node of the graph has as an input.
Tensor constant_of_last(const GraphBuilder& b, size_t input) {
    const Tensor* tensor = b.graph.constant(b.graph.nodes.back().input(input));
    return tensor ? *tensor : Tensor();
}

// The pads of the option-A shortcut as the TorchScript exporter writes them: reversed by reshaping
// to pairs, slicing backwards and transposing.
TEST(Fold, ComputesThePadsOfAnOptionAShortcut) {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 16, 32, 32});
    const ValueId zeros =
        b.node("ConstantOfShape", {b.ints({2})}, {{"value", Tensor::of<int64_t>({1}, {0})}});
    const ValueId all =
        b.node("Concat", {b.ints({0, 0, 0, 0, 8, 8}), zeros}, {{"axis", int64_t{0}}});
    const ValueId pairs = b.node("Reshape", {all, b.ints({-1, 2})});
    const ValueId reversed =
        b.node("Slice", {pairs, b.ints({-1}), b.ints({-kMax}), b.ints({0}), b.ints({-1})});
    const ValueId turned = b.node("Transpose", {reversed}, {{"perm", Ints{1, 0}}});
    const ValueId flat = b.node("Reshape", {turned, b.ints({-1})});
    const ValueId pads = b.node("Cast", {flat}, {{"to", int64_t{7}}});
    b.output(b.node("Pad", {x, pads, kNoValue}, {{"mode", "constant"}}));

    EXPECT_EQ(fold_constants(b.graph), 7);
    ASSERT_EQ(b.graph.nodes.size(), 1u);
    EXPECT_EQ(constant_of_last(b, 1), Tensor::of<int64_t>({8}, {0, 8, 0, 0, 0, 8, 0, 0}));
    EXPECT_EQ(b.graph.value(b.graph.outputs[0]).shape, (Shape{kUnknown, 32, 32, 32}));
}

// Codes of `bits` bits as planes [m, 1, bits]: bit 7 - k of byte (g, 0, p) is bit p of code 8 g +
// k.
Tensor planes_of(const std::vector<uint8_t>& codes, size_t bits) {
    const size_t groups = (codes.size() + 7) / 8;
    std::vector<uint8_t> planes(groups * bits, 0);
    for (size_t n = 0; n < codes.size(); ++n) {
        for (size_t p = 0; p < bits; ++p) {
            const auto bit = static_cast<unsigned>(codes[n] >> p & 1);
            planes[n / 8 * bits + p] =
                static_cast<uint8_t>(planes[n / 8 * bits + p] | bit << (7 - n % 8));
        }
    }
    return Tensor::of<uint8_t>({static_cast<int64_t>(groups), 1, static_cast<int64_t>(bits)},
                               planes);
}

TEST(Fold, DecodesWeightsFromBitPlanes) {
    for (size_t bits = 1; bits <= 8; ++bits) {
        Random random(bits);
        std::vector<uint8_t> codes(5 * 3 * 3 * 3);
        std::vector<int8_t> wanted;
        const int offset = 1 << (bits - 1);
        for (uint8_t& code : codes) {
            code = static_cast<uint8_t>(random.below(1u << bits));
            wanted.push_back(static_cast<int8_t>(code - offset));
        }
        GraphBuilder b;
        const ValueId x = b.input("x", {kUnknown, 3, 8, 8});
        std::vector<float> powers;
        for (size_t p = 0; p < bits; ++p) powers.push_back(static_cast<float>(1 << p));
        const ValueId shifts = b.constant(Tensor::of<uint8_t>({8, 1}, {0, 1, 2, 3, 4, 5, 6, 7}));
        const ValueId seven = b.constant(Tensor::scalar<uint8_t>(7));
        const ValueId left = b.node("BitShift", {b.constant(planes_of(codes, bits)), shifts},
                                    {{"direction", "LEFT"}});
        const ValueId bit = b.node("BitShift", {left, seven}, {{"direction", "RIGHT"}});
        const ValueId real = b.node("Cast", {bit}, {{"to", int64_t{1}}});
        const ValueId sum =
            b.node("MatMul", {real, b.floats({static_cast<int64_t>(bits)}, powers)});
        const ValueId centred =
            b.node("Sub", {sum, b.constant(Tensor::scalar(static_cast<float>(offset)))});
        const ValueId flat = b.node("Reshape", {centred, b.ints({-1})});
        const ValueId cut = b.node("Slice", {flat, b.ints({0}), b.ints({135})});
        const ValueId shaped = b.node("Reshape", {cut, b.ints({5, 3, 3, 3})});
        const ValueId weight = b.node("Cast", {shaped}, {{"to", int64_t{3}}});
        const ValueId scale = b.constant(Tensor::scalar(0.5f)),
                      zero = b.constant(Tensor::scalar<int8_t>(0));
        const ValueId dequantized = b.node("DequantizeLinear", {weight, scale, zero});
        b.output(b.node("Conv", {x, dequantized}));

        fold_constants(b.graph);
        ASSERT_EQ(b.graph.nodes.size(), 2u) << "the quantization itself stays";
        EXPECT_EQ(*b.graph.constant(b.graph.nodes[0].inputs[0]),
                  Tensor::of<int8_t>({5, 3, 3, 3}, wanted));
    }
}

TEST(Fold, DecodesFourBitWeights) {
    GraphBuilder b(21);
    Tensor codes(DType::kInt4, {2, 2});
    codes.bytes = {0x81, 0x7F};
    b.output(b.node("Cast", {b.constant(codes)}, {{"to", int64_t{3}}}));
    fold_constants(b.graph);
    EXPECT_TRUE(b.graph.nodes.empty());
    EXPECT_EQ(*b.graph.constant(b.graph.outputs[0]), Tensor::of<int8_t>({2, 2}, {1, -8, -1, 7}));
}

// A channel shuffle that asks for every dimension, the batch too.
TEST(Fold, SettlesAReshapeWhoseBatchIsNotKnown) {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 24, 8, 8});
    const auto dimension = [&](int64_t k) {
        const ValueId d =
            b.node("Gather", {b.node("Shape", {x}), b.constant(Tensor::scalar<int64_t>(k))});
        return b.node("Unsqueeze", {d, b.ints({0})});
    };
    const ValueId target =
        b.node("Concat", {dimension(0), b.ints({2, 12}), dimension(2), dimension(3)},
               {{"axis", int64_t{0}}});
    b.output(b.node("Reshape", {x, target}));
    EXPECT_GT(fold_constants(b.graph), 0);
    ASSERT_EQ(b.graph.nodes.size(), 1u);
    EXPECT_EQ(constant_of_last(b, 1), Tensor::of<int64_t>({5}, {-1, 2, 12, 8, 8}));
    EXPECT_EQ(fold_constants(b.graph), 0) << "a second pass finds nothing";
}

TEST(Fold, KeepsWhatDependsOnTheBatch) {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 3});
    const ValueId batch = b.node("Gather", {b.node("Shape", {x}), b.ints({0})});
    b.output(b.node("Expand", {b.weight({1, 3}),
                               b.node("Concat", {batch, b.ints({3})}, {{"axis", int64_t{0}}})}));
    fold_constants(b.graph);
    EXPECT_EQ(b.graph.nodes.size(), 4u);
    check_graph(b.graph);
}

TEST(Fold, SharedConstantsOutliveTheirFoldedReaders) {
    GraphBuilder b;
    const ValueId x = b.input("x", {2}), c = b.floats({2}, {1, 2});
    b.output(b.node("Add", {b.node("Add", {x, b.node("Mul", {c, c})}), c}));
    EXPECT_EQ(fold_constants(b.graph), 1);
    ASSERT_EQ(b.graph.nodes.size(), 2u);
    EXPECT_EQ(constant_of_last(b, 1), Tensor::of<float>({2}, {1, 2}));
    EXPECT_EQ(*b.graph.constant(b.graph.nodes[0].inputs[1]), Tensor::of<float>({2}, {1, 4}));
}

// 16 MiB come from nothing, half a GiB does not.
TEST(Fold, StaysWithinItsBudget) {
    const auto nodes_left = [](int64_t side, int64_t stored) {
        GraphBuilder b;
        const ValueId shape = b.constant(Tensor::of<int64_t>({2}, {side, side}));
        const ValueId more = b.constant(Tensor(DType::kFloat, {stored}));
        const ValueId filled = b.node("ConstantOfShape", {shape});
        b.output(b.node("Add", {b.input("x", {1, 1}), filled}));
        b.output(b.node("Add", {b.input("z", {1}), more}));
        fold_constants(b.graph);
        return b.graph.nodes.size();
    };
    EXPECT_EQ(nodes_left(2048, 1), 2u);
    EXPECT_EQ(nodes_left(2049, 1), 3u);
    EXPECT_EQ(nodes_left(2049, 1 << 12), 2u) << "there are parameters of that order";
}

TEST(Fold, LeavesResultsThatNoFileMayHold) {
    GraphBuilder b;
    const ValueId zeros = b.floats({2}, {0, 0}), ones = b.floats({2}, {1, 1});
    b.output(b.node("Add", {b.input("x", {2}), b.node("Div", {ones, zeros})}));
    fold_constants(b.graph);
    EXPECT_EQ(b.graph.nodes.size(), 2u);
}

}  // namespace
}  // namespace adiabat::net
