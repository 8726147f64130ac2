// SPDX-License-Identifier: Apache-2.0
//
// Shapes of Einsum, normalization and operators on codes.

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

constexpr int64_t N = kUnknown;

Shape einsum(const std::string& equation, const std::vector<Shape>& shapes) {
    GraphBuilder b;
    std::vector<ValueId> in;
    for (const Shape& shape : shapes) {
        in.push_back(b.input("x" + std::to_string(in.size()), shape));
    }
    const ValueId y = b.node("Einsum", in, {{"equation", equation}});
    infer_shapes(b.graph);
    return b.graph.value(y).shape.value_or(Shape{-99});
}

TEST(ShapeRules, EinsumReadsItsEquation) {
    EXPECT_EQ(einsum("bij, bjk -> bik", {{N, 3, 4}, {N, 4, 5}}), (Shape{N, 3, 5}));
    EXPECT_EQ(einsum("ij,jk", {{3, 4}, {4, 5}}), (Shape{3, 5}));
    EXPECT_EQ(einsum("ba", {{3, 4}}), (Shape{4, 3}));  // without an arrow the letters are sorted
    EXPECT_EQ(einsum("ii->i", {{3, 3}}), Shape{3});
    EXPECT_EQ(einsum("i,i", {{5}, {5}}), Shape{});
    EXPECT_EQ(einsum("...ii->...i", {{2, N, 3, 3}}), (Shape{2, N, 3}));
    EXPECT_EQ(einsum("...ij,...jk->...ik", {{2, 1, 3, 4}, {6, 4, 5}}), (Shape{2, 6, 3, 5}));
    EXPECT_THROW(einsum("ij,jk->ik", {{3, 4}, {5, 6}}), InputError);
    EXPECT_THROW(einsum("ij->ik", {{3, 4}}), InputError);
    EXPECT_THROW(einsum("ij,jk->ik", {{3, 4}}), InputError);
    EXPECT_THROW(einsum("ijk->i", {{3, 4}}), InputError);
}

TEST(ShapeRules, LayerNormalizationHasStatistics) {
    GraphBuilder b(17);
    const ValueId x = b.input("x", {N, 3, 4}), scale = b.weight({3, 4});
    const auto out = b.nodes("LayerNormalization", {x, scale}, 3, {{"axis", int64_t{-2}}});
    infer_shapes(b.graph);
    EXPECT_EQ(*b.graph.value(out[0]).shape, (Shape{N, 3, 4}));
    EXPECT_EQ(*b.graph.value(out[1]).shape, (Shape{N, 1, 1}));
    EXPECT_EQ(b.graph.value(out[2]).type, DType::kFloat);
    GraphBuilder wrong(17);
    wrong.node("LayerNormalization", {wrong.input("x", {N, 3, 4}), wrong.weight({5})});
    EXPECT_THROW(infer_shapes(wrong.graph), InputError);
}

TEST(ShapeRules, OperatorsOnCodesAreThoseOnNumbers) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 3, 8, 8}, DType::kUint8), s = b.scalar(0.1f),
                  z = b.scalar<uint8_t>(3), zw = b.scalar<int8_t>(0);
    const ValueId y =
        b.node("QLinearConv", {x, s, z, b.weight({4, 3, 3, 3}, DType::kInt8), s, zw, s, z});
    const ValueId sum = b.node("QLinearAdd", {y, s, z, y, s, z, s, z});
    b.graph.nodes.back().domain = "com.microsoft";
    const ValueId wide = b.node("ConvInteger", {x, b.weight({4, 3, 1, 1}, DType::kInt8)});
    infer_shapes(b.graph);
    EXPECT_EQ(*b.graph.value(y).shape, (Shape{N, 4, 6, 6}));
    EXPECT_EQ(b.graph.value(sum).type, DType::kUint8);
    EXPECT_EQ(*b.graph.value(sum).shape, (Shape{N, 4, 6, 6}));
    EXPECT_EQ(b.graph.value(wide).type, DType::kInt32);
    EXPECT_TRUE(unknown_operators(b.graph).empty());
    b.graph.nodes[1].domain = "com.example";
    EXPECT_EQ(unknown_operators(b.graph), std::vector<std::string>{"com.example.QLinearAdd"});
}

}  // namespace
}  // namespace adiabat::net
