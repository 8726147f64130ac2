// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/fuse.h"

#include <gtest/gtest.h>

#include <cmath>

#include "adiabat/base/random.h"
#include "adiabat/net/graph_builder.test.h"

namespace adiabat::net {
namespace {

std::vector<float> numbers(Random& random, size_t count, float low, float high) {
    std::vector<float> values(count);
    for (float& value : values) value = low + (high - low) * random.uniform_float();
    return values;
}

// Conv (1-d, no padding, 4 filters over 3 channels, kernel 2) and its normalization.
struct Case {
    GraphBuilder b;
    ValueId x, conv, bn;

    explicit Case(bool with_bias, uint64_t seed = 1) {
        Random random(seed);
        x = b.input("x", {1, 3, 6});
        std::vector<ValueId> inputs = {x, b.floats({4, 3, 2}, numbers(random, 24, -1, 1))};
        if (with_bias) inputs.push_back(b.floats({4}, numbers(random, 4, -1, 1)));
        conv = b.node("Conv", inputs);
        bn = normalized(conv, random);
        b.output(bn);
    }
    ValueId normalized(ValueId value, Random& random) {
        return b.node(
            "BatchNormalization",
            {value, b.floats({4}, numbers(random, 4, 0.5f, 2)),
             b.floats({4}, numbers(random, 4, -1, 1)), b.floats({4}, numbers(random, 4, -1, 1)),
             b.floats({4}, numbers(random, 4, 0.1f, 3))},
            {{"epsilon", 1e-3f}});
    }
};

// The naive twin: evaluates Conv, Gemm (transB) and BatchNormalization of these tests, one output
// at a time.
std::vector<double> run_naively(const Graph& graph, const std::vector<double>& x) {
    std::map<ValueId, std::vector<double>> values;
    values[graph.inputs[0]] = x;
    const auto get = [&](ValueId id) {
        return graph.constant(id) ? graph.constant(id)->to_doubles() : values.at(id);
    };
    for (const Node& node : graph.nodes) {
        const auto in = get(node.inputs[0]), w = get(node.inputs[1]);
        std::vector<double> out;
        if (node.op == "Conv") {
            const auto bias =
                node.input(2) == kNoValue ? std::vector<double>(4, 0.0) : get(node.inputs[2]);
            for (size_t o = 0; o < 4; ++o) {
                for (size_t t = 0; t < 5; ++t) {
                    double sum = bias[o];
                    for (size_t c = 0; c < 3; ++c) {
                        for (size_t k = 0; k < 2; ++k)
                            sum += w[(o * 3 + c) * 2 + k] * in[c * 6 + t + k];
                    }
                    out.push_back(sum);
                }
            }
        } else if (node.op == "Gemm") {
            const auto bias =
                node.input(2) == kNoValue ? std::vector<double>(4, 0.0) : get(node.inputs[2]);
            const bool rows = node.int_or("transB", 0) != 0;
            for (size_t o = 0; o < 4; ++o) {
                double sum = double{node.float_or("beta", 1.0f)} * bias[bias.size() == 1 ? 0 : o];
                for (size_t c = 0; c < in.size(); ++c) {
                    sum += double{node.float_or("alpha", 1.0f)} * in[c] *
                           (rows ? w[o * in.size() + c] : w[c * 4 + o]);
                }
                out.push_back(sum);
            }
        } else {
            const auto beta = get(node.inputs[2]), mean = get(node.inputs[3]),
                       var = get(node.inputs[4]);
            const size_t each = in.size() / 4;
            for (size_t k = 0; k < in.size(); ++k) {
                const size_t c = k / each;
                out.push_back(w[c] * (in[k] - mean[c]) /
                                  std::sqrt(var[c] + double{node.float_or("epsilon", 1e-5f)}) +
                              beta[c]);
            }
        }
        values[node.outputs[0]] = out;
    }
    return get(graph.outputs[0]);
}

void expect_same_function(const Graph& before, const Graph& after, size_t inputs) {
    Random random(99);
    for (int trial = 0; trial < 20; ++trial) {
        std::vector<double> x(inputs);
        for (double& value : x) value = random.normal();
        const auto a = run_naively(before, x), b = run_naively(after, x);
        ASSERT_EQ(a.size(), b.size());
        for (size_t k = 0; k < a.size(); ++k) EXPECT_NEAR(a[k], b[k], 2e-6);
    }
}

TEST(FuseBatchNorm, ComputesTheSameAsConvolvingAndNormalizing) {
    for (bool with_bias : {false, true}) {
        Case c(with_bias);
        const Graph before = c.b.graph;
        EXPECT_EQ(fuse_batch_norm(c.b.graph), 1);
        ASSERT_EQ(c.b.graph.nodes.size(), 1u);
        EXPECT_EQ(c.b.graph.nodes[0].outputs[0], c.bn);
        EXPECT_EQ(c.b.graph.nodes[0].inputs.size(), 3u);
        check_graph(c.b.graph);
        expect_same_function(before, c.b.graph, 18);
    }
}

TEST(FuseBatchNorm, FoldsIntoGemmEitherWayRound) {
    for (int64_t transposed : {0, 1}) {
        for (size_t bias : {0u, 1u, 4u}) {
            Case c(false);
            Random random(5);
            c.b = GraphBuilder();
            const ValueId x = c.b.input("x", {1, 6});
            const Shape shape = transposed ? Shape{4, 6} : Shape{6, 4};
            std::vector<ValueId> inputs = {x, c.b.floats(shape, numbers(random, 24, -1, 1))};
            if (bias) {
                inputs.push_back(
                    c.b.floats({static_cast<int64_t>(bias)}, numbers(random, bias, -1, 1)));
            }
            const ValueId y =
                c.b.node("Gemm", inputs, {{"transB", transposed}, {"alpha", 0.5f}, {"beta", 3.0f}});
            c.b.output(c.normalized(y, random));
            const Graph before = c.b.graph;
            EXPECT_EQ(fuse_batch_norm(c.b.graph), 1);
            expect_same_function(before, c.b.graph, 6);
        }
    }
}

TEST(FuseBatchNorm, LeavesASharedWeightAsItIs) {
    Case c(false);
    const ValueId weight = c.b.graph.nodes[0].inputs[1];
    const Tensor untouched = *c.b.graph.constant(weight);
    c.b.output(c.b.node("Conv", {c.x, weight}));
    const auto shared = c.b.graph.value(weight).constant;
    EXPECT_EQ(fuse_batch_norm(c.b.graph), 1);
    EXPECT_EQ(*shared, untouched);
    EXPECT_EQ(*c.b.graph.constant(c.b.graph.nodes[1].inputs[1]), untouched);
    EXPECT_NE(c.b.graph.nodes[0].inputs[1], weight);
}

TEST(FuseBatchNorm, NeverWritesIntoATensorThatACopyOfTheGraphHolds) {
    Case c(true);
    const Graph copy = c.b.graph;
    const Tensor weight = *copy.constant(copy.nodes[0].inputs[1]);
    fuse_batch_norm(c.b.graph);
    EXPECT_EQ(*copy.constant(copy.nodes[0].inputs[1]), weight);
}

TEST(FuseBatchNorm, LeavesAloneWhatItMustNotTouch) {
    Case training(false);
    training.b.graph.nodes[1].attributes["training_mode"] = int64_t{1};
    EXPECT_EQ(fuse_batch_norm(training.b.graph), 0);

    Case odd_inputs(false);
    odd_inputs.b.graph.nodes[1].inputs.pop_back();
    EXPECT_EQ(fuse_batch_norm(odd_inputs.b.graph), 0);

    Case second_reader(false);
    second_reader.b.output(second_reader.b.node("Relu", {second_reader.conv}));
    EXPECT_EQ(fuse_batch_norm(second_reader.b.graph), 0);

    Case also_output(false);
    also_output.b.output(also_output.conv);
    EXPECT_EQ(fuse_batch_norm(also_output.b.graph), 0);

    Case no_inference(false);
    no_inference.b.graph.opset = 6;
    EXPECT_EQ(fuse_batch_norm(no_inference.b.graph), 0);
}

TEST(FuseBatchNorm, FoldsTwoInARow) {
    Case c(true);
    Random random(8);
    c.b.graph.outputs = {c.normalized(c.bn, random)};
    const Graph before = c.b.graph;
    int folded = 0;
    while (int more = fuse_batch_norm(c.b.graph)) folded += more;
    EXPECT_EQ(folded, 2);
    expect_same_function(before, c.b.graph, 18);
}

}  // namespace
}  // namespace adiabat::net
