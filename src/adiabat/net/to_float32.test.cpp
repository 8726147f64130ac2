// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/to_float32.h"

#include <gtest/gtest.h>

#include "adiabat/net/graph_builder.test.h"

namespace adiabat::net {
namespace {

constexpr uint16_t kHalfOfOne = 0x3C00, kHalfOfMinusTwo = 0xC000;

Tensor halves(Shape shape, std::vector<uint16_t> patterns) {
    Tensor tensor(DType::kFloat16, std::move(shape));
    std::memcpy(tensor.bytes.data(), patterns.data(), tensor.bytes.size());
    return tensor;
}

// Two outputs, one of them read; a Cast and a filling that name half precision.
GraphBuilder half_network() {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 1, 4, 4});
    b.graph.value(x).type = DType::kFloat16;
    const ValueId weight = b.constant(halves({2, 1, 1, 1}, {kHalfOfOne, kHalfOfMinusTwo}));
    const ValueId conv = b.node("Conv", {x, weight});
    const ValueId cast = b.node("Cast", {conv}, {{"to", int64_t{10}}});
    b.graph.value(conv).name = "conv";
    b.output(conv);
    const ValueId relu = b.node("Relu", {cast});
    b.graph.value(relu).name = "y";
    b.output(relu);
    return b;
}

TEST(ToFloat32, KeepsTheTypesOfInputsAndOutputs) {
    GraphBuilder b = half_network();
    ASSERT_TRUE(to_float32(b.graph));
    const Graph& graph = b.graph;
    std::vector<std::string> operators;
    for (const Node& node : graph.nodes) operators.push_back(node.op);
    EXPECT_EQ(operators,
              (std::vector<std::string>{"Cast", "Conv", "Cast", "Relu", "Cast", "Cast"}));
    EXPECT_EQ(graph.value(graph.inputs[0]).type, DType::kFloat16);
    EXPECT_EQ(graph.value(graph.inputs[0]).name, "x");
    const char* const names[] = {"conv", "y"};
    for (size_t k = 0; k < 2; ++k) {
        EXPECT_EQ(graph.value(graph.outputs[k]).type, DType::kFloat16);
        EXPECT_EQ(graph.value(graph.outputs[k]).name, names[k]);
        EXPECT_EQ(graph.nodes[4 + k].int_or("to", 0), 10);
    }
    EXPECT_EQ(graph.nodes[2].int_or("to", 0), 1);
    EXPECT_EQ(*graph.constant(graph.nodes[1].inputs[1]),
              Tensor::of<float>({2, 1, 1, 1}, std::vector<float>{1, -2}));
    EXPECT_EQ(graph.value(graph.nodes[1].outputs[0]).type, DType::kFloat);
}

TEST(ToFloat32, LeavesFloatNetworksAlone) {
    GraphBuilder b;
    b.output(b.node("Conv", {b.input("x", {1, 2, 4, 4}), b.weight({2, 2, 1, 1})}));
    EXPECT_FALSE(to_float32(b.graph));
    EXPECT_EQ(b.graph.nodes.size(), 1u);
}

TEST(ToFloat32, RefusesWhatItCannotKnow) {
    GraphBuilder unknown = half_network();
    unknown.output(unknown.node("Frobnicate", {unknown.graph.inputs[0]}));
    EXPECT_THROW(to_float32(unknown.graph), InputError);

    GraphBuilder large;
    const ValueId x = large.input("x", {1, 1});
    large.graph.value(x).type = DType::kDouble;
    const ValueId weight = large.constant(Tensor::of<double>({1, 1}, std::vector<double>{1e300}));
    large.output(large.node("MatMul", {x, weight}));
    EXPECT_THROW(to_float32(large.graph), InputError);
}

}  // namespace
}  // namespace adiabat::net
