// SPDX-License-Identifier: Apache-2.0
//
// Comparison, logic and functions of one element, on constants.

#include <gtest/gtest.h>

#include <limits>

#include "adiabat/net/evaluate.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

Tensor evaluated(GraphBuilder& b) {
    infer_shapes(b.graph);
    auto results = evaluate(b.graph, b.graph.nodes.back());
    if (!results) throw std::runtime_error("not evaluated");
    return results->at(0);
}

Tensor of(const char* op, const std::vector<Tensor>& inputs,
          const std::map<std::string, Attribute>& attributes = {}) {
    GraphBuilder b(18);
    std::vector<ValueId> ids;
    for (const Tensor& input : inputs) ids.push_back(b.constant(input));
    b.node(op, ids, attributes);
    return evaluated(b);
}

Tensor bools(Shape shape, const std::vector<int>& values) {
    Tensor tensor(DType::kBool, std::move(shape));
    for (size_t k = 0; k < values.size(); ++k) tensor.bytes[k] = values[k] != 0;
    return tensor;
}

TEST(EvaluateElementwise, ComparesEveryTypeWithBroadcasting) {
    const Tensor column = Tensor::of<int64_t>({2, 1}, {1, -3}),
                 row = Tensor::of<int64_t>({3}, {-3, 1, 2});
    EXPECT_EQ(of("Equal", {column, row}), bools({2, 3}, {0, 1, 0, 1, 0, 0}));
    EXPECT_EQ(of("Less", {column, row}), bools({2, 3}, {0, 0, 1, 0, 1, 1}));
    EXPECT_EQ(of("GreaterOrEqual", {column, row}), bools({2, 3}, {1, 1, 0, 1, 0, 0}));
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const Tensor numbers = Tensor::of<float>({2}, {nan, 1});
    EXPECT_EQ(of("Equal", {numbers, numbers}), bools({2}, {0, 1}));
    EXPECT_EQ(of("LessOrEqual", {numbers, numbers}), bools({2}, {0, 1}));
    EXPECT_EQ(of("Equal", {bools({2}, {1, 0}), bools({2}, {1, 1})}), bools({2}, {1, 0}));
}

TEST(EvaluateElementwise, LogicFollowsItsTables) {
    const Tensor a = bools({4}, {0, 0, 1, 1}), b = bools({4}, {0, 1, 0, 1});
    EXPECT_EQ(of("And", {a, b}), bools({4}, {0, 0, 0, 1}));
    EXPECT_EQ(of("Or", {a, b}), bools({4}, {0, 1, 1, 1}));
    EXPECT_EQ(of("Xor", {a, b}), bools({4}, {0, 1, 1, 0}));
    EXPECT_EQ(of("Not", {a}), bools({4}, {1, 1, 0, 0}));
}

TEST(EvaluateElementwise, WhereTakesElementsOfAnySize) {
    const Tensor condition = bools({2, 1}, {1, 0});
    EXPECT_EQ(of("Where",
                 {condition, Tensor::of<int64_t>({3}, {1, 2, 3}), Tensor::of<int64_t>({1}, {9})}),
              Tensor::of<int64_t>({2, 3}, {1, 2, 3, 9, 9, 9}));
    EXPECT_EQ(
        of("Where", {condition, Tensor::of<int8_t>({1}, {-1}), Tensor::of<int8_t>({2}, {4, 5})}),
        Tensor::of<int8_t>({2, 2}, {-1, -1, 4, 5}));
}

TEST(EvaluateElementwise, BitsAndShifts) {
    const Tensor a = Tensor::of<uint8_t>({2}, {0xC, 0xFF}), b = Tensor::of<uint8_t>({2}, {0xA, 0});
    EXPECT_EQ(of("BitwiseOr", {a, b}), Tensor::of<uint8_t>({2}, {0xE, 0xFF}));
    EXPECT_EQ(of("BitwiseXor", {a, b}), Tensor::of<uint8_t>({2}, {0x6, 0xFF}));
    EXPECT_EQ(of("BitwiseNot", {a}), Tensor::of<uint8_t>({2}, {0xF3, 0}));
    const Tensor x = Tensor::of<int8_t>({4}, {-8, 4, -1, 64}),
                 by = Tensor::of<int8_t>({4}, {1, 8, -1, 1});
    EXPECT_EQ(of("BitShift", {x, by}, {{"direction", "RIGHT"}}),
              Tensor::of<int8_t>({4}, {-4, 0, -1, 32}));
    EXPECT_EQ(of("BitShift", {x, by}, {{"direction", "LEFT"}}),
              Tensor::of<int8_t>({4}, {-16, 0, 0, -128}));
}

TEST(EvaluateElementwise, FunctionsOfOneNumber) {
    const Tensor x = Tensor::of<float>({4}, {-1.5f, 2.5f, 0.25f, 9.0f});
    EXPECT_EQ(of("Floor", {x}), Tensor::of<float>({4}, {-2, 2, 0, 9}));
    EXPECT_EQ(of("Ceil", {x}), Tensor::of<float>({4}, {-1, 3, 1, 9}));
    EXPECT_EQ(of("Round", {x}), Tensor::of<float>({4}, {-2, 2, 0, 9}));
    EXPECT_EQ(of("Abs", {x}), Tensor::of<float>({4}, {1.5f, 2.5f, 0.25f, 9}));
    EXPECT_EQ(of("Neg", {Tensor::of<int32_t>({2}, {3, -4})}), Tensor::of<int32_t>({2}, {-3, 4}));
    EXPECT_EQ(of("Max", {Tensor::of<int32_t>({2}, {3, -4}), Tensor::scalar<int32_t>(0)}),
              Tensor::of<int32_t>({2}, {3, 0}));
    EXPECT_EQ(of("Min", {Tensor::of<uint8_t>({2}, {3, 200}), Tensor::scalar<uint8_t>(100)}),
              Tensor::of<uint8_t>({2}, {3, 100}));
    EXPECT_EQ(of("BitCast", {Tensor::scalar(1.0f)}, {{"to", int64_t{6}}}),
              Tensor::scalar<int32_t>(0x3F800000));
}

}  // namespace
}  // namespace adiabat::net
