// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/matmul.h"

#include <gtest/gtest.h>

#include "adiabat/net/architectures.test.h"
#include "adiabat/net/layers.h"
#include "adiabat/net/simplify.h"

namespace adiabat::net {
namespace {

size_t count_of(const Graph& graph, const std::string& op) {
    size_t count = 0;
    for (const Node& node : graph.nodes) count += node.op == op;
    return count;
}

struct Built {
    NetworkBuilder b;
    ValueId x = kNoValue, product = kNoValue;
    explicit Built(int opset = 13, Shape input = {kUnknown, 6}) : b(opset) {
        x = b.input("x", std::move(input));
        product = b.node("MatMul", {x, b.weight({6, 4})});
    }
    // Rewritten, and what became of it.
    Graph done(ValueId output) {
        Graph graph = b.finish(output);
        rewritten = matmuls_to_gemms(graph);
        remove_dead(graph);
        check_graph(graph);
        return graph;
    }
    int rewritten = 0;
};

TEST(Matmul, ProductsOfImagesBecomeLayers) {
    for (const Shape& shape : {Shape{4}, Shape{1, 4}}) {
        for (const bool is_first : {false, true}) {
            Built net;
            const ValueId bias = net.b.weight(shape);
            const ValueId sum = net.b.node(
                "Add", is_first ? std::vector{bias, net.product} : std::vector{net.product, bias});
            const std::string name = net.b.graph.value(sum).name;
            const Graph graph = net.done(sum);
            EXPECT_EQ(net.rewritten, 1);
            ASSERT_EQ(graph.nodes.size(), 1u);
            EXPECT_EQ(graph.nodes[0].op, "Gemm");
            EXPECT_EQ(graph.nodes[0].name, "MatMul_0");
            EXPECT_EQ(graph.value(graph.outputs[0]).name, name);
            EXPECT_EQ(graph.constant(graph.nodes[0].inputs[2])->shape, Shape{4});
            const auto layers = find_layers(graph);
            ASSERT_EQ(layers.size(), 1u);
            EXPECT_EQ(layers[0].filters, 4);
            EXPECT_EQ(layers[0].inputs, 6);
        }
    }
}

TEST(Matmul, WhatIsNoBiasStaysBehind) {
    {
        Built net;  // a number of its own for every row
        const Graph graph = net.done(net.b.node("Add", {net.product, net.b.weight({1})}));
        EXPECT_EQ(count_of(graph, "Gemm"), 1u);
        EXPECT_EQ(count_of(graph, "Add"), 1u);
    }
    {
        Built net;  // read twice
        const ValueId sum = net.b.node("Add", {net.product, net.b.weight({4})});
        const Graph graph = net.done(net.b.node("Mul", {sum, net.product}));
        EXPECT_EQ(count_of(graph, "Gemm"), 1u);
        EXPECT_EQ(count_of(graph, "Add"), 1u);
    }
    {
        Built net;  // added to itself
        const Graph graph = net.done(net.b.node("Add", {net.product, net.product}));
        EXPECT_EQ(count_of(graph, "Add"), 1u);
    }
    {
        Built net;  // an output itself
        net.b.node("Add", {net.product, net.b.weight({4})});
        const Graph graph = net.done(net.product);
        EXPECT_EQ(count_of(graph, "Gemm"), 1u);
    }
}

TEST(Matmul, OthersAreLeftAlone) {
    Built tokens(13, {kUnknown, 5, 6});
    tokens.done(tokens.product);
    EXPECT_EQ(tokens.rewritten, 0);

    Built old(9);  // a Gemm has a bias there
    old.done(old.product);
    EXPECT_EQ(old.rewritten, 0);
    Built old_with_bias(9);
    old_with_bias.done(
        old_with_bias.b.node("Add", {old_with_bias.product, old_with_bias.b.weight({4})}));
    EXPECT_EQ(old_with_bias.rewritten, 1);

    NetworkBuilder b;  // both computed
    const ValueId x = b.input("x", {kUnknown, 6});
    Graph graph = b.finish(b.node("MatMul", {x, b.node("Transpose", {x})}));
    EXPECT_EQ(matmuls_to_gemms(graph), 0);
}

TEST(Matmul, SimplifiedNetworksHaveNone) {
    for (Graph graph : {flatten_to_gemm(), channels_last()}) {
        EXPECT_EQ(count_of(graph, "MatMul"), 1u);
        simplify(graph);
        EXPECT_EQ(count_of(graph, "MatMul"), 0u);
    }
    Graph graph = attention();
    const size_t before = count_of(graph, "MatMul");
    simplify(graph);
    EXPECT_EQ(count_of(graph, "MatMul"), before);
}

}  // namespace
}  // namespace adiabat::net
