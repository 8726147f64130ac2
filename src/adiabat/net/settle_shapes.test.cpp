// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/settle_shapes.h"

#include <gtest/gtest.h>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/simplify.h"

namespace adiabat::net {
namespace {

using Ints = std::vector<int64_t>;

// Shape(x)[begin, end), as x.shape[begin:end] is exported.
ValueId part_of_shape(GraphBuilder& b, ValueId x, int64_t begin, int64_t end) {
    return b.node("Slice", {b.node("Shape", {x}), b.ints({begin}), b.ints({end})});
}

TEST(SettleShapes, FlattenOfTrailingAxesIsAPlainReshape) {
    GraphBuilder b;
    const ValueId x = b.node("Relu", {b.input("x", {kUnknown, 6, 4, 4})});
    const ValueId target =
        b.node("Concat", {part_of_shape(b, x, 0, 2), b.ints({-1})}, {{"axis", int64_t{0}}});
    b.output(b.node("Reshape", {x, target}));
    simplify(b.graph);
    ASSERT_EQ(b.graph.nodes.size(), 2u);
    EXPECT_EQ(b.graph.constant(b.graph.nodes[1].inputs[1])->to_ints(), (Ints{0, 6, -1}));
    EXPECT_EQ(b.graph.value(b.graph.outputs[0]).shape, (Shape{kUnknown, 6, 16}));
}

// The batch stands where the input has another dimension: it is no copy, and -1 is taken.
TEST(SettleShapes, LeavesWhatItCannotSay) {
    GraphBuilder b;
    const ValueId x =
        b.node("Transpose", {b.input("x", {kUnknown, 6, 4, 4})}, {{"perm", Ints{1, 0, 2, 3}}});
    const ValueId batch = part_of_shape(b, x, 1, 2);
    const ValueId target = b.node("Concat", {batch, b.ints({6, -1})}, {{"axis", int64_t{0}}});
    b.output(b.node("Reshape", {x, target}));
    simplify(b.graph);
    EXPECT_EQ(b.graph.constant(b.graph.nodes.back().inputs[1]), nullptr);
}

// A size that depends on nothing but fixed dimensions, through operators that partial integers do
// not follow.
TEST(SettleShapes, WhatIsTheSameForEveryBatchBecomesAConstant) {
    GraphBuilder b;
    const ValueId x = b.node("Relu", {b.input("x", {kUnknown, 6, 4, 4})});
    const ValueId shape = b.node("Shape", {x});
    const ValueId width = part_of_shape(b, x, 2, 3);
    const ValueId ends = b.node("Where", {b.node("Less", {width, b.ints({5})}), width, shape});
    b.output(b.node(
        "Slice", {x, b.ints({0}), b.node("Slice", {ends, b.ints({0}), b.ints({1})}), b.ints({1})}));
    simplify(b.graph);
    const Node& slice = b.graph.nodes.back();
    ASSERT_TRUE(b.graph.constant(slice.inputs[2]));
    EXPECT_EQ(b.graph.constant(slice.inputs[2])->to_ints(), (Ints{4}));
    EXPECT_EQ(b.graph.nodes.size(), 2u);
}

// Shapes behind an Expand to {batch, 1, 4}, whose target no constant can say.
TEST(SettleShapes, ShapesBecomeKnown) {
    GraphBuilder b;
    const ValueId x = b.input("x", {kUnknown, 3, 4});
    const ValueId wanted =
        b.node("Concat", {part_of_shape(b, x, 0, 1), b.ints({-1, -1})}, {{"axis", int64_t{0}}});
    const ValueId keeps = b.node("Equal", {wanted, b.ints({-1, -1, -1})});
    const ValueId target = b.node("Where", {keeps, b.ints({1, 1, 1}), wanted});
    const ValueId token = b.node("Expand", {b.weight({1, 1, 4}), target});
    b.output(b.node("Concat", {token, x}, {{"axis", int64_t{1}}}));
    simplify(b.graph);
    EXPECT_EQ(b.graph.value(b.graph.outputs[0]).shape, (Shape{kUnknown, 4, 4}));
}

}  // namespace
}  // namespace adiabat::net
