// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/simplify.h"

#include <gtest/gtest.h>

#include "adiabat/net/graph_builder.test.h"

namespace adiabat::net {
namespace {

std::vector<std::string> operators_of(const Graph& graph) {
    std::vector<std::string> names;
    for (const Node& node : graph.nodes) names.push_back(node.op);
    return names;
}
using Names = std::vector<std::string>;

TEST(Simplify, DropsIdentityAndDropoutAndKeepsTheNamesOfOutputs) {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 4});
    const ValueId relu = b.node("Relu", {b.node("Identity", {x})});
    const ValueId dropped = b.node("Dropout", {relu});
    const ValueId sum = b.node("Add", {dropped, relu});
    const ValueId out = b.node("Identity", {sum});
    const ValueId late = b.node("Sigmoid", {sum});
    b.graph.value(out).name = "logits";
    b.output(out);
    b.output(late);
    simplify(b.graph);
    check_graph(b.graph);
    EXPECT_EQ(operators_of(b.graph), (Names{"Relu", "Add", "Sigmoid"}));
    EXPECT_EQ(b.graph.value(b.graph.outputs[0]).name, "logits");
    EXPECT_EQ(b.graph.nodes[2].inputs[0], b.graph.outputs[0]);
    EXPECT_EQ(b.graph.value(b.graph.outputs[0]).shape, (Shape{kUnknown, 4}));
}

TEST(Simplify, KeepsAnIdentityBetweenAnInputAndAnOutput) {
    GraphBuilder b;
    b.output(b.node("Identity", {b.input("x", {2})}));
    simplify(b.graph);
    EXPECT_EQ(operators_of(b.graph), Names{"Identity"});
}

TEST(Simplify, KeepsTheSecondOfTwoOutputsThatAreOneValue) {
    GraphBuilder b;
    const ValueId y = b.node("Relu", {b.input("x", {2})});
    const ValueId first = b.node("Identity", {y}), second = b.node("Identity", {y});
    b.graph.value(first).name = "first";
    b.graph.value(second).name = "second";
    b.output(first);
    b.output(second);
    simplify(b.graph);
    check_graph(b.graph);
    EXPECT_EQ(operators_of(b.graph), (Names{"Relu", "Identity"}));
    EXPECT_EQ(b.graph.value(b.graph.outputs[1]).name, "second");
}

TEST(Simplify, KeepsADropoutThatTrains) {
    const auto left = [](bool training) {
        GraphBuilder b;
        const ValueId relu = b.node("Relu", {b.input("x", {2})});
        const ValueId mode = b.constant(Tensor::scalar<bool>(training));
        b.output(b.node("Dropout", {relu, kNoValue, mode}));
        simplify(b.graph);
        return b.graph.nodes.size();
    };
    EXPECT_EQ(left(true), 2u);
    EXPECT_EQ(left(false), 1u);
}

// Behind the Identity stands a normalization, in front of the fold a constant expression.
TEST(Simplify, GoesOnUntilNothingChanges) {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 2, 5, 5});
    const ValueId half = b.weight({2, 2, 3, 3});
    const ValueId weight = b.node("Concat", {half, half}, {{"axis", int64_t{0}}});
    const ValueId conv = b.node("Conv", {x, weight});
    const ValueId same = b.node("Identity", {conv});
    const ValueId ones = b.floats({4}, {1, 1, 1, 1}), zeros = b.floats({4}, {0, 0, 0, 0});
    b.output(b.node("BatchNormalization", {same, ones, zeros, zeros, ones}));
    simplify(b.graph);
    EXPECT_EQ(operators_of(b.graph), Names{"Conv"});
    EXPECT_EQ(b.graph.values.size(), 4u);
    EXPECT_EQ(b.graph.value(b.graph.outputs[0]).shape, (Shape{kUnknown, 4, 3, 3}));
}

}  // namespace
}  // namespace adiabat::net
