// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/shape_inference.h"

#include <gtest/gtest.h>

#include <limits>

#include "adiabat/base/errors.h"
#include "adiabat/net/graph_builder.test.h"

namespace adiabat::net {
namespace {

constexpr int64_t N = kUnknown;

// Shape of a value after inference.
Shape inferred(GraphBuilder& b, ValueId id) {
    infer_shapes(b.graph);
    return b.graph.value(id).shape.value_or(Shape{-99});
}

std::string message_of(GraphBuilder& b) {
    try {
        infer_shapes(b.graph);
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}

// The output size of a window, by counting the places where it fits.
int64_t windows_naively(int64_t size, int64_t kernel, int64_t stride, int64_t dilation,
                        int64_t before, int64_t after) {
    int64_t count = 0;
    for (int64_t at = -before; at + (kernel - 1) * dilation < size + after; at += stride) ++count;
    return count;
}

TEST(ShapeInference, CountsTheWindowsOfAConvolution) {
    for (int64_t size : {7, 8, 15}) {
        for (int64_t kernel : {1, 3, 5}) {
            for (int64_t stride : {1, 2, 3}) {
                for (int64_t dilation : {1, 2}) {
                    for (int64_t pad : {0, 1, 2}) {
                        const int64_t wanted =
                            windows_naively(size, kernel, stride, dilation, pad, pad + 1);
                        if (wanted <= 0) continue;
                        GraphBuilder b;
                        const ValueId x = b.input("x", {N, 6, size});
                        const ValueId w = b.weight({4, 3, kernel});
                        const ValueId y = b.node("Conv", {x, w},
                                                 {{"group", int64_t{2}},
                                                  {"strides", Ints{stride}},
                                                  {"dilations", Ints{dilation}},
                                                  {"pads", Ints{pad, pad + 1}}});
                        EXPECT_EQ(inferred(b, y), (Shape{N, 4, wanted}));
                        EXPECT_EQ(b.graph.value(y).type, DType::kFloat);
                    }
                }
            }
        }
    }
}

TEST(ShapeInference, PadsAutomatically) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 3, 7, 8});
    const ValueId w = b.weight({4, 3, 3, 3});
    const std::map<std::string, Attribute> same = {{"auto_pad", "SAME_UPPER"},
                                                   {"strides", Ints{2, 2}}};
    const ValueId y = b.node("Conv", {x, w}, same);
    const ValueId z = b.node("Conv", {x, w}, {{"auto_pad", "VALID"}});
    EXPECT_EQ(inferred(b, y), (Shape{N, 4, 4, 4}));
    EXPECT_EQ(inferred(b, z), (Shape{N, 4, 5, 6}));
}

TEST(ShapeInference, RoundsPoolsUpWhereAsked) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 3, 6, 6});
    const auto pool = [&](int64_t ceil, Ints kernel, Ints pads) {
        return b.node("MaxPool", {x},
                      {{"kernel_shape", std::move(kernel)},
                       {"strides", Ints{2, 2}},
                       {"pads", std::move(pads)},
                       {"ceil_mode", ceil}});
    };
    const ValueId down = pool(0, {3, 3}, {0, 0, 0, 0});
    const ValueId up = pool(1, {3, 3}, {0, 0, 0, 0});
    // ceil((4 + 2 - 2) / 3) + 1 = 3, but the third window would start in the padding.
    const ValueId last = b.node("MaxPool", {b.input("y", {N, 3, 4})},
                                {{"kernel_shape", Ints{2}},
                                 {"strides", Ints{3}},
                                 {"pads", Ints{1, 1}},
                                 {"ceil_mode", int64_t{1}}});
    EXPECT_EQ(inferred(b, down), (Shape{N, 3, 2, 2}));
    EXPECT_EQ(inferred(b, up), (Shape{N, 3, 3, 3}));
    EXPECT_EQ(inferred(b, last), (Shape{N, 3, 2}));
}

TEST(ShapeInference, NamesTheNodeAndBothNumbers) {
    GraphBuilder b;
    b.node("Conv", {b.input("x", {N, 4, 8, 8}), b.weight({8, 3, 3, 3})});
    EXPECT_EQ(message_of(b), "Conv Conv_0: weight takes 3 channels, input has 4");

    GraphBuilder nameless;
    const ValueId x = nameless.input("x", {N, 5});
    const ValueId y = nameless.node("Gemm", {x, nameless.weight({4, 2})});
    nameless.graph.nodes[0].name.clear();
    nameless.graph.value(y).name = "logits";
    EXPECT_EQ(message_of(nameless), "Gemm (writes logits): weight takes 4 features, input has 5");
}

TEST(ShapeInference, RefusesWhatTheOperatorsRefuse) {
    const auto refused = [](const char* op, const std::vector<Shape>& shapes,
                            std::map<std::string, Attribute> attributes) {
        GraphBuilder b;
        std::vector<ValueId> inputs;
        for (const Shape& shape : shapes) {
            inputs.push_back(b.input(fmt::format("x{}", inputs.size()), shape));
        }
        b.node(op, inputs, std::move(attributes));
        const std::string message = message_of(b);
        EXPECT_NE(message, "no error") << op;
        EXPECT_EQ(message.rfind(fmt::format("{} {}_0: ", op, op), 0), 0u) << message;
    };
    refused("Conv", {{N, 4, 2, 2}, {8, 4, 3, 3}}, {});
    refused("Conv", {{N, 4, 8, 8}, {7, 2, 3, 3}}, {{"group", int64_t{2}}});
    refused("Conv", {{N, 4, 8, 8}, {8, 4, 3, 3}, {7}}, {});
    refused("Conv", {{N, 4, 8, 8}, {8, 4, 3, 3}}, {{"strides", Ints{0, 1}}});
    refused("Conv", {{N, 4, 8, 8}, {8, 4, 3, 3}}, {{"pads", Ints{1, 1}}});
    refused("Conv", {{N, 4, 8, 8}, {8, 4, 3, 3}}, {{"kernel_shape", Ints{5, 5}}});
    refused("MaxPool", {{N, 4, 8}}, {{"kernel_shape", Ints{2, 2}}});
    refused("BatchNormalization", {{N, 4, 8}, {4}, {4}, {3}, {4}}, {});
    refused("Add", {{N, 4}, {5}}, {});
    refused("Concat", {{N, 4, 2}, {N, 4, 3}}, {{"axis", int64_t{1}}});
    refused("Concat", {{N, 4}, {N, 4}}, {{"axis", int64_t{2}}});
    refused("Transpose", {{N, 4}}, {{"perm", Ints{0, 0}}});
    refused("MatMul", {{N, 4}, {5, 2}}, {});
    refused("Squeeze", {{N, 4}}, {{"axes", Ints{1}}});
    refused("Pad", {{N, 4}}, {{"pads", Ints{0, std::numeric_limits<int64_t>::min(), 0, 0}}});
    refused("Pad", {{N, 4}}, {{"pads", Ints{0, 1, 0, 0}}, {"axes", Ints{1, -1}}});
    refused("Add", {{N, 4}}, {});
    refused("Split", {{N, 4}}, {{"axis", int64_t{1}}, {"split", Ints{5}}});
    refused("ReduceMean", {{N, 4}}, {{"axes", Ints{2}}});
    refused("QuantizeLinear", {{N, 4, 2}, {3}}, {});
}

TEST(ShapeInference, FollowsBothFormsOfAxes) {
    GraphBuilder b(18);
    const ValueId x = b.input("x", {N, 6, 4, 1});
    const ValueId as_input = b.node("ReduceMean", {x, b.ints({-1, 2})}, {{"keepdims", int64_t{0}}});
    const ValueId as_attribute = b.node("ReduceMean", {x}, {{"axes", Ints{2, 3}}});
    const ValueId all = b.node("ReduceMax", {x}, {{"keepdims", int64_t{0}}});
    const ValueId none = b.node("ReduceSum", {x}, {{"noop_with_empty_axes", int64_t{1}}});
    const ValueId squeezed = b.node("Squeeze", {x, b.ints({3})});
    const ValueId unsqueezed = b.node("Unsqueeze", {x}, {{"axes", Ints{0, -1}}});
    EXPECT_EQ(inferred(b, as_input), (Shape{N, 6}));
    EXPECT_EQ(inferred(b, as_attribute), (Shape{N, 6, 1, 1}));
    EXPECT_EQ(inferred(b, all), Shape{});
    EXPECT_EQ(inferred(b, none), (Shape{N, 6, 4, 1}));
    EXPECT_EQ(inferred(b, squeezed), (Shape{N, 6, 4}));
    EXPECT_EQ(inferred(b, unsqueezed), (Shape{1, N, 6, 4, 1, 1}));
}

TEST(ShapeInference, CutsPadsSplitsAndGathers) {
    GraphBuilder b(18);
    const ValueId x = b.input("x", {N, 7, 4});
    const Ints whole = {0}, end = {std::numeric_limits<int64_t>::max()};
    const ValueId batch = b.node("Slice", {x, b.ints(whole), b.ints(end), b.ints({0})});
    const ValueId every_other =
        b.node("Slice", {x, b.ints({-1}), b.ints({std::numeric_limits<int64_t>::min()}),
                         b.ints({1}), b.ints({-2})});
    const ValueId old =
        b.node("Slice", {x}, {{"starts", Ints{1}}, {"ends", Ints{-1}}, {"axes", Ints{1}}});
    const ValueId padded = b.node("Pad", {x, b.ints({1, 2}), kNoValue, b.ints({-1})});
    const auto parts = b.nodes("Split", {x}, 2, {{"axis", int64_t{1}}});
    const auto sized = b.nodes("Split", {x, b.ints({5, 2})}, 2, {{"axis", int64_t{1}}});
    const ValueId row =
        b.node("Gather", {x, b.constant(Tensor::scalar<int64_t>(0))}, {{"axis", int64_t{1}}});
    const ValueId together = b.node("Concat", {x, parts[0]}, {{"axis", int64_t{1}}});
    EXPECT_EQ(inferred(b, batch), (Shape{N, 7, 4}));
    EXPECT_EQ(inferred(b, every_other), (Shape{N, 4, 4}));
    EXPECT_EQ(inferred(b, old), (Shape{N, 5, 4}));
    EXPECT_EQ(inferred(b, padded), (Shape{N, 7, 7}));
    EXPECT_EQ(inferred(b, parts[0]), (Shape{N, 4, 4}));
    EXPECT_EQ(inferred(b, parts[1]), (Shape{N, 3, 4}));
    EXPECT_EQ(inferred(b, sized[1]), (Shape{N, 2, 4}));
    EXPECT_EQ(inferred(b, row), (Shape{N, 4}));
    EXPECT_EQ(inferred(b, together), (Shape{N, 11, 4}));
}

TEST(ShapeInference, CarriesShapesThroughShapeArithmetic) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 24, 8, 8});
    const ValueId shape = b.node("Shape", {x});
    const auto dimension = [&](int64_t k) {
        return b.node("Gather", {shape, b.constant(Tensor::scalar<int64_t>(k))},
                      {{"axis", int64_t{0}}});
    };
    const auto as_vector = [&](ValueId id) { return b.node("Unsqueeze", {id, b.ints({0})}); };
    const ValueId half = b.node("Div", {dimension(1), b.constant(Tensor::scalar<int64_t>(2))});
    const ValueId target = b.node("Concat",
                                  {as_vector(dimension(0)), b.ints({2}), as_vector(half),
                                   as_vector(dimension(2)), as_vector(dimension(3))},
                                  {{"axis", int64_t{0}}});
    const ValueId y = b.node("Reshape", {x, target});
    EXPECT_EQ(inferred(b, y), (Shape{N, 2, 12, 8, 8}));
}

TEST(ShapeInference, MultipliesMatricesAsNumpyDoes) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 5, 4}), v = b.weight({4}), m = b.weight({4, 3});
    const ValueId xv = b.node("MatMul", {x, v}), xm = b.node("MatMul", {x, m}),
                  vm = b.node("MatMul", {v, m}), vv = b.node("MatMul", {v, v});
    EXPECT_EQ(inferred(b, xv), (Shape{N, 5}));
    EXPECT_EQ(inferred(b, xm), (Shape{N, 5, 3}));
    EXPECT_EQ(inferred(b, vm), Shape{3});
    EXPECT_EQ(inferred(b, vv), Shape{});
}

TEST(ShapeInference, GivesTypes) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 4});
    const ValueId scale = b.constant(Tensor::scalar(0.5f)),
                  zero = b.constant(Tensor::scalar<int8_t>(0));
    const ValueId q = b.node("QuantizeLinear", {x, scale, zero});
    const ValueId plain = b.node("QuantizeLinear", {x, scale});
    const ValueId back = b.node("DequantizeLinear", {q, scale, zero});
    const ValueId cast = b.node("Cast", {x}, {{"to", int64_t{7}}});
    const ValueId equal = b.node("Equal", {x, x});
    infer_shapes(b.graph);
    EXPECT_EQ(b.graph.value(q).type, DType::kInt8);
    EXPECT_EQ(b.graph.value(plain).type, DType::kUint8);
    EXPECT_EQ(b.graph.value(back).type, DType::kFloat);
    EXPECT_EQ(b.graph.value(cast).type, DType::kInt64);
    EXPECT_EQ(b.graph.value(equal).type, DType::kBool);
}

TEST(ShapeInference, LeavesUnknownOperatorsAsTheFileSaysAndNamesThemAll) {
    GraphBuilder b;
    const ValueId x = b.input("x", {N, 4});
    const ValueId y = b.node("Wobble", {x});
    const ValueId z = b.node("Relu", {y});
    b.node("Relu", {b.node("Abacus", {z})});
    b.graph.nodes[0].domain = "com.example";
    b.graph.value(y).shape = Shape{N, 9};
    EXPECT_EQ(inferred(b, z), (Shape{N, 9}));
    EXPECT_EQ(unknown_operators(b.graph),
              (std::vector<std::string>{"Abacus", "com.example.Wobble"}));
}

TEST(ShapeInference, OverrulesWhatTheFileSays) {
    GraphBuilder b;
    const ValueId y = b.node("Conv", {b.input("x", {N, 3, 8, 8}), b.weight({5, 3, 1, 1})});
    b.graph.value(y).shape = Shape{N, 6, 8, 8};  // stale: a filter has been cut since
    EXPECT_EQ(inferred(b, y), (Shape{N, 5, 8, 8}));
}

}  // namespace
}  // namespace adiabat::net
