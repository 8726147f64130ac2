// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/simplify.h"

#include <gtest/gtest.h>

#include <limits>

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

TEST(Simplify, DropsWhatChangesNothing) {
    GraphBuilder b;
    const auto ints = [&](std::vector<int64_t> values) {
        return b.constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
    };
    ValueId x = b.node("Relu", {b.input("x", {kUnknown, 4, 3})});
    x = b.node("Cast", {x}, {{"to", int64_t{1}}});
    x = b.node("Concat", {x}, {{"axis", int64_t{1}}});
    x = b.node("Transpose", {x}, {{"perm", std::vector<int64_t>{0, 1, 2}}});
    x = b.node("Reshape", {x, ints({-1, 4, 3})});
    x = b.node("Pad", {x, ints({0, 0, 0, 0, 0, 0})});
    x = b.node("Slice", {x, ints({0}), ints({4}), ints({1}), ints({1})});
    x = b.node("Slice", {x, ints({0}), ints({std::numeric_limits<int64_t>::max()}), ints({0})});
    b.output(b.node("Sigmoid", {x}));
    simplify(b.graph);
    check_graph(b.graph);
    EXPECT_EQ(operators_of(b.graph), (Names{"Relu", "Sigmoid"}));
}

TEST(Simplify, KeepsWhatChangesSomething) {
    GraphBuilder b;
    const auto ints = [&](std::vector<int64_t> values) {
        return b.constant(Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
    };
    ValueId x = b.node("Relu", {b.input("x", {kUnknown, 4, 4})});
    x = b.node("Cast", {x}, {{"to", int64_t{11}}});
    x = b.node("Transpose", {x});
    x = b.node("Reshape", {x, ints({4, 4, -1})});  // another dimension is the unknown one: the same
    x = b.node("Pad", {x, ints({0, 1, 0, 0, -1, 0})});
    x = b.node("Slice", {x, ints({-1}), ints({-9}), ints({1}), ints({-1})});  // backwards
    x = b.node("Slice", {x, ints({0}), ints({7}), ints({2})});  // of an unknown dimension
    b.output(x);
    simplify(b.graph);
    check_graph(b.graph);
    EXPECT_EQ(operators_of(b.graph), (Names{"Relu", "Cast", "Transpose", "Pad", "Slice", "Slice"}));
}

// As exporters write it: a parameter behind an Identity for each of its users.
TEST(Simplify, KeepsSharedParametersShared) {
    GraphBuilder b;
    const ValueId weight = b.weight({4, 4, 1, 1});
    const ValueId first = b.node("Identity", {weight}), second = b.node("Identity", {first});
    const ValueId x = b.node("Conv", {b.input("x", {kUnknown, 4, 5, 5}), first});
    b.output(b.node("Conv", {x, second}));
    simplify(b.graph);
    ASSERT_EQ(operators_of(b.graph), (Names{"Conv", "Conv"}));
    EXPECT_EQ(b.graph.nodes[0].inputs[1], b.graph.nodes[1].inputs[1]);
}

TEST(Simplify, KeepsWhatGraphsInsideAttributesRead) {
    GraphBuilder b;
    const ValueId input = b.input("x", {kUnknown, 4});
    const ValueId relu = b.node("Relu", {input});
    const ValueId inner = b.node("Identity", {relu}), outer = b.node("Identity", {input});
    const ValueId unread = b.node("Sigmoid", {relu});
    b.graph.value(inner).name = "inner";
    b.graph.value(outer).name = "outer";
    b.graph.value(unread).name = "unread";
    b.output(b.node("If", {input}));
    b.graph.nodes.back().captured = {inner, outer, unread};
    simplify(b.graph);
    check_graph(b.graph);
    EXPECT_EQ(operators_of(b.graph), (Names{"Relu", "Identity", "Sigmoid", "If"}));
    for (size_t k = 0; const char* name : {"inner", "outer", "unread"}) {
        EXPECT_EQ(b.graph.value(b.graph.nodes[3].captured[k++]).name, name);
    }
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
