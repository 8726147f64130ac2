// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/unshare.h"

#include <gtest/gtest.h>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/layers.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

TEST(Unshare, LayersOfDifferentWeightsGetBiasesOfTheirOwn) {
    GraphBuilder b;
    const ValueId zeros = b.floats({4}, {0, 0, 0, 0}), head = b.weight({4, 4, 1, 1});
    ValueId x = b.node("Conv", {b.input("x", {kUnknown, 4, 5, 5}), b.weight({4, 4, 1, 1}), zeros});
    x = b.node("Conv", {x, b.weight({4, 4, 1, 1}), zeros});
    // A head that runs twice shares weight and bias with itself.
    x = b.node("Conv", {b.node("Conv", {x, head, zeros}), head, zeros});
    b.output(x);
    infer_shapes(b.graph);
    EXPECT_EQ(find_layers(b.graph).size(), 0u);
    EXPECT_EQ(unshare_parameters(b.graph), 2);
    EXPECT_EQ(find_layers(b.graph).size(), 2u);
    EXPECT_NE(b.graph.nodes[0].inputs[2], b.graph.nodes[1].inputs[2]);
    EXPECT_NE(b.graph.nodes[1].inputs[2], b.graph.nodes[2].inputs[2]);
    EXPECT_EQ(b.graph.nodes[2].inputs[2], b.graph.nodes[3].inputs[2]);
    for (const Node& node : b.graph.nodes) {
        EXPECT_EQ(b.graph.constant(node.inputs[2])->bytes, b.graph.constant(zeros)->bytes);
    }
    EXPECT_EQ(unshare_parameters(b.graph), 0);
}

TEST(Unshare, NormalizationsGetParametersOfTheirOwn) {
    GraphBuilder b;
    const ValueId ones = b.floats({4}, {1, 1, 1, 1}), one = b.floats({1}, {1});
    ValueId x = b.input("x", {kUnknown, 4, 5, 5});
    x = b.node("InstanceNormalization", {x, ones, ones});
    x = b.node("InstanceNormalization", {b.node("Mul", {x, one}), ones, ones});
    b.output(b.node("Mul", {x, one}));
    EXPECT_EQ(unshare_parameters(b.graph), 1);
    EXPECT_NE(b.graph.nodes[0].inputs[1], b.graph.nodes[2].inputs[1]);
    EXPECT_EQ(b.graph.nodes[2].inputs[1], b.graph.nodes[2].inputs[2]);
    EXPECT_EQ(b.graph.nodes[1].inputs[1], b.graph.nodes[3].inputs[1]);
}

}  // namespace
}  // namespace adiabat::net
