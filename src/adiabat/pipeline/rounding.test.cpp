// SPDX-License-Identifier: Apache-2.0
//
// Whatever the kind of layer and the bits, no way of rounding leaves a larger error of what the
// layer gives than rounding each weight by itself.
#include <gtest/gtest.h>

#include <string>

#include "adiabat/apply/calibrate.h"
#include "adiabat/net/coding.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/plan/plan.h"
#include "adiabat/recon/best_codes.h"
#include "adiabat/recon/ordered_rounding.h"

namespace adiabat::pipeline {
namespace {

using net::Ints;
using net::Shape;

struct Kind {
    std::string name, op;
    Shape input, weight;
    std::map<std::string, net::Attribute> attributes;
};

const std::vector<Kind>& kinds() {
    static const std::vector<Kind> all = {
        {"convolution", "Conv", {40, 6, 7, 6}, {9, 6, 3, 3}, {{"pads", Ints{1, 1, 1, 1}}}},
        {"with strides and dilations",
         "Conv",
         {60, 4, 9, 8},
         {5, 4, 2, 3},
         {{"strides", Ints{2, 1}}, {"dilations", Ints{1, 2}}}},
        {"1 x 1", "Conv", {30, 12, 5, 5}, {8, 12, 1, 1}, {}},
        {"1-D", "Conv", {50, 7, 15}, {6, 7, 5}, {{"pads", Ints{2, 2}}}},
        {"3-D", "Conv", {20, 3, 4, 5, 4}, {6, 3, 2, 2, 2}, {}},
        {"grouped", "Conv", {40, 8, 6, 6}, {12, 4, 3, 3}, {{"group", int64_t{2}}}},
        {"depthwise", "Conv", {40, 6, 8, 8}, {6, 1, 3, 3}, {{"group", int64_t{6}}}},
        {"Gemm", "Gemm", {300, 20}, {9, 20}, {{"transB", int64_t{1}}}},
        {"Gemm, weights as they are", "Gemm", {300, 20}, {20, 9}, {}},
    };
    return all;
}

// Values that depend on each other, as those of a network do: what lies beside each other is alike.
net::Tensor images(const Shape& shape, uint64_t seed) {
    net::Tensor x = net::random_tensor(shape, seed);
    const auto values = x.as<float>();
    const auto lag = static_cast<size_t>(shape.back());
    for (size_t k = 1; k < values.size(); ++k)
        values[k] += 0.6f * values[k - 1] - (k >= lag ? 0.3f * values[k - lag] : 0.0f);
    return x;
}

net::Graph layer_of(const Kind& kind, uint64_t seed) {
    net::GraphBuilder b;
    const net::ValueId x = b.input(kind.input);
    std::vector<net::ValueId> inputs = {x, b.constant(net::random_tensor(kind.weight, seed + 1))};
    const bool is_as_is = kind.op == "Gemm" && !kind.attributes.contains("transB");
    inputs.push_back(b.constant(net::random_tensor({kind.weight[is_as_is ? 1 : 0]}, seed + 2)));
    auto attributes = kind.attributes;
    if (kind.op == "Conv")
        attributes["kernel_shape"] = Ints(kind.weight.begin() + 2, kind.weight.end());
    b.output(b.node(kind.op, inputs, attributes));
    net::infer_shapes(b.graph);
    return b.graph;
}

// Of each output channel, its mean left out.
std::vector<double> squared_errors(const net::Tensor& expected, const net::Tensor& found) {
    const int64_t channels = expected.shape[1];
    const int64_t positions = expected.size() / expected.shape[0] / channels;
    std::vector<double> sums(static_cast<size_t>(channels)), squares(sums.size());
    for (size_t k = 0; k < expected.as<float>().size(); ++k) {
        const size_t c = k / static_cast<size_t>(positions) % sums.size();
        const double e = static_cast<double>(found.as<float>()[k]) -
                         static_cast<double>(expected.as<float>()[k]);
        sums[c] += e;
        squares[c] += e * e;
    }
    const double rows = static_cast<double>(expected.shape[0] * positions);
    for (size_t c = 0; c < sums.size(); ++c) squares[c] -= sums[c] * sums[c] / rows;
    return squares;
}

// The layer with its weights rounded one by one, in float, on what the quantized layer reads.
net::Graph plainly_rounded(net::Graph graph, const net::Layer& layer, int bits) {
    const std::vector<float> filters = net::filters_of(graph, layer);
    const auto rows = static_cast<Eigen::Index>(layer.filters);
    const recon::Matrix weights =
        Eigen::Map<const recon::Rows>(filters.data(), rows,
                                      static_cast<Eigen::Index>(filters.size()) / rows)
            .cast<double>();
    const recon::Matrix values = recon::values_of(recon::plain_rounding(weights, bits));
    net::Tensor tensor = *graph.constant(layer.weight);
    for (Eigen::Index f = 0; f < rows; ++f) {
        for (Eigen::Index k = 0; k < values.cols(); ++k) {
            const Eigen::Index to = layer.filter_axis == 0 ? f * values.cols() + k : k * rows + f;
            tensor.as<float>()[static_cast<size_t>(to)] = static_cast<float>(values(f, k));
        }
    }
    graph.value(layer.weight).constant = std::make_shared<const net::Tensor>(std::move(tensor));
    return graph;
}

TEST(LayerErrors, AreAtOrBelowThoseOfPlainRounding) {
    const auto engine = load_engine();
    const auto run = [&](const net::Graph& graph, const net::Tensor& x, net::ValueId wanted) {
        const std::vector<net::Feed> feeds = {{graph.inputs[0], &x}};
        return engine->open(graph, {})->run(feeds, std::vector{wanted})[0];
    };
    double sum = 0, plain_sum = 0;
    for (const Kind& kind : kinds()) {
        for (int bits = 2; bits <= 8; ++bits) {
            const auto seed = 10 * static_cast<uint64_t>(bits);
            const net::Graph graph = layer_of(kind, seed);
            // Float activations: what is compared is the weights' error alone.
            const plan::Network network(graph);
            plan::Plan plan = plan::uniform_plan(network, bits);
            ASSERT_EQ(network.layers.size(), 1u) << kind.name;
            const net::Tensor x = images(kind.input, seed + 5);
            const net::Tensor expected = run(graph, x, graph.outputs[0]);
            const auto plain = squared_errors(
                expected,
                run(plainly_rounded(graph, network.layers[0], bits), x, graph.outputs[0]));
            // A Gemm's output has no codes anyway.
            std::vector<net::ValueId> floats = {graph.inputs[0]};
            if (net::find_coding(graph, network.layers).of(graph.outputs[0]) >= 0)
                floats.push_back(graph.outputs[0]);
            for (const auto rounding : {apply::Rounding::kOrdered, apply::Rounding::kQubo}) {
                apply::Quantized quantized = apply::quantize(
                    graph, network.layers, {plan.bits, floats}, onnx::Storage::kPlanes);
                apply::calibrate(quantized, {graph, graph, network, plan, x, rounding}, *engine,
                                 {});
                const auto found =
                    squared_errors(expected, run(quantized.graph, x, quantized.graph.outputs[0]));
                for (size_t c = 0; c < found.size(); ++c) {
                    EXPECT_LE(found[c], plain[c] * (1 + 1e-3))
                        << kind.name << ", " << bits << " bits, channel " << c << ", "
                        << apply::name_of(rounding);
                    sum += found[c];
                    plain_sum += plain[c];
                }
            }
        }
    }
    EXPECT_LT(sum, 0.9 * plain_sum);
}

}  // namespace
}  // namespace adiabat::pipeline
