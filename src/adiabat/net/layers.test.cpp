// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/layers.h"

#include <gtest/gtest.h>

#include "adiabat/net/cost.h"
#include "adiabat/net/extract.h"
#include "adiabat/net/residual_network.test.h"

namespace adiabat::net {
namespace {

TEST(Layers, LeaveOutSharedAndComputedWeights) {
    GraphBuilder b;
    const ValueId x = b.input({kUnknown, 4, 4, 4});
    const ValueId shared = b.constant(random_tensor({4, 4, 1, 1}, 1));
    const ValueId y = b.node("Conv", {b.node("Conv", {x, shared}), shared});
    const ValueId computed = b.node("Mul", {shared, shared});
    b.graph.outputs = {b.node("Conv", {y, computed})};
    EXPECT_TRUE(find_layers(b.graph).empty());
}

// Two inputs, of which one goes through a layer before it joins the other, and two heads, of which
// one has a layer more.
TEST(Layers, OutermostHaveNoLayerBeforeOrBehindThem) {
    GraphBuilder b;
    const auto conv = [&](ValueId x, uint64_t seed) {
        const ValueId y = b.node("Conv", {x, b.constant(random_tensor({4, 4, 1, 1}, seed))});
        return b.node("Relu", {y});
    };
    const ValueId left = b.input("left", {kUnknown, 4, 4, 4});
    const ValueId right = b.input("right", {kUnknown, 4, 4, 4});
    const ValueId first = conv(left, 1);
    const ValueId also_first = conv(b.node("Sigmoid", {right}), 2);
    const ValueId inner = conv(b.node("Add", {first, also_first}), 3);
    const ValueId last = conv(inner, 4);
    const ValueId before_last = conv(b.node("Add", {inner, first}), 5);
    const ValueId also_last = conv(before_last, 6);
    b.graph.outputs = {last, also_last};
    infer_shapes(b.graph);
    const auto layers = find_layers(b.graph);
    ASSERT_EQ(layers.size(), 6u);
    EXPECT_EQ(outermost(b.graph, layers),
              (std::vector<bool>{true, true, false, true, false, true}));
    // A layer alone is first and last.
    GraphBuilder alone;
    alone.graph.outputs = {alone.node("Conv", {alone.input({kUnknown, 4, 4, 4}),
                                               alone.constant(random_tensor({4, 4, 1, 1}, 1))})};
    infer_shapes(alone.graph);
    EXPECT_EQ(outermost(alone.graph, find_layers(alone.graph)), std::vector<bool>{true});
}

// The naive twin: counts every multiplication of a 3 x 3 convolution with stride 2 and padding 1.
TEST(Cost, CountsWhatALoopCounts) {
    GraphBuilder b;
    const ValueId x = b.input({kUnknown, 3, 7, 5});
    const ValueId w = b.constant(random_tensor({6, 3, 3, 3}, 1));
    const ValueId bias = b.constant(random_tensor({6}, 2));
    b.graph.outputs = {b.node(
        "Conv", {x, w, bias},
        {{"pads", std::vector<int64_t>{1, 1, 1, 1}}, {"strides", std::vector<int64_t>{2, 2}}})};
    infer_shapes(b.graph);
    const auto layers = find_layers(b.graph);
    ASSERT_EQ(layers.size(), 1u);
    int64_t macs = 0;
    for (int row = 0; row < 7; row += 2) {
        for (int column = 0; column < 5; column += 2) macs += 6 * 3 * 3 * 3;
    }
    const Cost whole = layer_cost(layers[0], {6, 3, 32});
    EXPECT_EQ(whole.parameters, 162 + 6);
    EXPECT_EQ(whole.bytes, 4 * (162 + 6));
    EXPECT_EQ(whole.macs, macs);
    EXPECT_EQ(whole.bops, macs * 32 * 32);
    // Two filters gone, 3 bits: 108 codes in 40.5 bytes, a scale and a bias for each of four
    // filters.
    const Cost small = layer_cost(layers[0], {4, 3, 3});
    EXPECT_EQ(small.bytes, 41 + 4 * 8);
    EXPECT_EQ(small.bops, macs * 4 / 6 * 3 * 8);
}

TEST(Extract, TakesWhatIsBetween) {
    const Graph graph = residual_network(1);
    const auto layers = find_layers(graph);
    const auto node = [&](size_t layer) -> const Node& {
        return graph.nodes[static_cast<size_t>(layers[layer].node)];
    };
    const ValueId from = node(1).inputs[0], to = node(2).outputs[0];
    const Piece piece = extract(graph, std::vector{from}, std::vector{to});
    EXPECT_EQ(piece.graph.nodes.size(), 3u);  // Conv, Relu, Conv
    EXPECT_EQ(piece.graph.inputs.size(), 1u);
    EXPECT_EQ(piece.graph.value(piece.id_of[static_cast<size_t>(to)]).name, graph.value(to).name);
    EXPECT_THROW(extract(graph, {}, std::vector{to}), InternalError);
}

}  // namespace
}  // namespace adiabat::net
