// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/coding.h"

#include <gtest/gtest.h>

#include "adiabat/net/architectures.test.h"
#include "adiabat/net/residual_network.test.h"

namespace adiabat::net {
namespace {

const Activation& activation_of(const Coding& coding, ValueId id) {
    return coding.activations.at(static_cast<size_t>(coding.of(id)));
}

TEST(Coding, OfAResidualNetwork) {
    const Graph graph = residual_network(2);
    const auto layers = find_layers(graph);
    const Coding coding = find_coding(graph, layers);
    // The input, five convolutions, two sums and the mean.
    ASSERT_EQ(coding.activations.size(), 9u);
    const Activation& input = coding.activations[0];
    EXPECT_EQ(input.value, graph.inputs[0]);
    EXPECT_EQ(input.readers, std::vector<size_t>{0});
    EXPECT_EQ(input.maker, -1);
    int relus = 0, moved = 0;
    for (const Node& node : graph.nodes) {
        if (node.op == "Relu") {
            const Activation& made = activation_of(coding, node.outputs[0]);
            EXPECT_TRUE(coding.is_absorbed(node.outputs[0]));
            EXPECT_EQ(made.before, node.inputs[0]);
            EXPECT_EQ(made.value, node.outputs[0]);
            ++relus;
        }
        if (node.op == "Slice" || node.op == "Pad") {
            EXPECT_EQ(coding.of(node.outputs[0]), coding.of(node.inputs[0]));
            ++moved;
        }
        if (node.op == "Conv") {
            const Activation& made = activation_of(coding, node.outputs[0]);
            ASSERT_GE(made.maker, 0);
            EXPECT_EQ(
                &graph.nodes[static_cast<size_t>(layers[static_cast<size_t>(made.maker)].node)],
                &node);
        }
    }
    EXPECT_EQ(relus, 5);
    EXPECT_EQ(moved, 2);
    EXPECT_EQ(coding.of(graph.outputs[0]), -1);
    for (const Activation& activation : coding.activations) EXPECT_TRUE(activation.is_inner);
}

// Every value belongs to one activation at most and has a number of its own; layers read one each.
TEST(Coding, IsOneOfEachWhereverChannelsMeet) {
    size_t readers = 0, layers_in_all = 0;
    for (const Architecture& architecture : architectures()) {
        const Graph graph = architecture.build();
        const auto layers = find_layers(graph);
        const Coding coding = find_coding(graph, layers);
        std::vector<int> seen(graph.values.size(), -1);
        std::vector<bool> numbered;
        for (size_t a = 0; a < coding.activations.size(); ++a) {
            const Activation& activation = coding.activations[a];
            for (ValueId id : activation.values) {
                EXPECT_EQ(seen[static_cast<size_t>(id)], -1) << architecture.name;
                seen[static_cast<size_t>(id)] = static_cast<int>(a);
                if (id == activation.before && activation.has_relu()) continue;
                const auto number = static_cast<size_t>(coding.number[static_cast<size_t>(id)]);
                if (numbered.size() <= number) numbered.resize(number + 1);
                EXPECT_FALSE(numbered[number]) << architecture.name;
                numbered[number] = true;
                EXPECT_TRUE(!graph.is_output(id) || !activation.is_inner);
            }
            for (size_t k : activation.readers) {
                EXPECT_EQ(coding.of(graph.nodes[static_cast<size_t>(layers[k].node)].inputs[0]),
                          static_cast<int>(a));
            }
            readers += activation.readers.size();
        }
        EXPECT_EQ(seen, coding.of_value) << architecture.name;
        layers_in_all += layers.size();
    }
    EXPECT_EQ(readers, layers_in_all);
}

// An output that is read as well keeps its name, and so do values that others capture.
TEST(Coding, WhatHasANameIsNotInner) {
    GraphBuilder b;
    const auto conv = [&](ValueId x) {
        return b.node("Conv", {x, b.constant(random_tensor({3, 3, 1, 1}, 1))});
    };
    const ValueId x = conv(b.input({kUnknown, 3, 4, 4})), y = b.node("Relu", {conv(x)});
    b.graph.outputs = {x, conv(y)};
    infer_shapes(b.graph);
    const Coding coding = find_coding(b.graph, find_layers(b.graph));
    EXPECT_FALSE(activation_of(coding, x).is_inner);
    EXPECT_TRUE(activation_of(coding, y).is_inner);
    EXPECT_TRUE(activation_of(coding, b.graph.inputs[0]).is_inner);
}

// Its shape with the axes has codes of its own only where the network does not give it away.
TEST(Coding, AFlattenedMeanThatIsAnOutput) {
    GraphBuilder b;
    const ValueId x =
        b.node("Relu", {b.node("Conv", {b.input({kUnknown, 3, 4, 4}),
                                        b.constant(random_tensor({3, 3, 1, 1}, 1))})});
    const ValueId mean =
        b.node("ReduceMean", {x}, {{"axes", std::vector<int64_t>{2, 3}}, {"keepdims", int64_t{0}}});
    const ValueId out = b.node("Gemm", {mean, b.constant(random_tensor({3, 2}, 2))});
    b.graph.outputs = {out, mean};
    infer_shapes(b.graph);
    const Coding coding = find_coding(b.graph, find_layers(b.graph));
    EXPECT_EQ(activation_of(coding, mean).readers, std::vector<size_t>{1});
    EXPECT_FALSE(activation_of(coding, mean).is_inner);
    EXPECT_EQ(activation_of(coding, x).maker, 0);
    EXPECT_EQ(coding.of(out), -1);
}

}  // namespace
}  // namespace adiabat::net
