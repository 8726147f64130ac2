// SPDX-License-Identifier: Apache-2.0
//
// Cutting, quantizing and the size of the file, on random residual networks and random plans.
#include <gtest/gtest.h>

#include "adiabat/apply/cut.h"
#include "adiabat/apply/file_size.h"
#include "adiabat/apply/prepare.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/net/architectures.test.h"
#include "adiabat/net/raise_opset.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/onnx/wire.h"
#include "adiabat/onnx/write.h"

namespace adiabat::apply {
namespace {

plan::Plan random_plan(const plan::Network& network, Random& random) {
    plan::Plan plan = plan::uniform_plan(network, plan::kMinBits);
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        const auto& widths = network.widths(k);
        plan.bits[k] = widths[random.below(static_cast<uint32_t>(widths.size()))];
    }
    for (auto& cut : plan.cut) {
        for (size_t i = plan::kLeastKept; i < cut.size(); ++i) cut[i] = random.below(2);
    }
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (random.below(2)) plan::drop(network, plan, b);
    }
    return plan;
}

net::Graph cut_by(const net::Graph& graph, const plan::Network& network, const plan::Plan& plan) {
    return cut_groups(graph, network.coupling, plan::cut_flags(network, plan),
                      plan::gone_branches(network, plan.bits));
}

// Branches or activations may be decided, not both.
void expect_size_of_file(const net::Graph& graph, onnx::Storage storage, int trials, uint64_t seed,
                         const std::string& what, plan::Activations activations) {
    plan::NetworkOptions options;
    options.branches = true;
    options.activations = activations;
    const plan::Network network(graph, options);
    const FileSize size(graph, network, storage);
    Random random(seed, 4);
    for (int trial = 0; trial < trials; ++trial) {
        const plan::Plan plan = random_plan(network, random);
        const net::Graph cut = cut_by(graph, network, plan);
        Quantized quantized =
            quantize(cut, net::find_layers(cut), widths_of(network, plan), storage);
        std::vector<onnx::WeightCodes> weights;
        for (const auto& layer : quantized.layers) weights.push_back(layer.weight);
        onnx::encode_weights(quantized.graph, weights, storage, quantized.prefix);
        const auto file = onnx::serialize_model(quantized.graph);
        EXPECT_EQ(size.bytes(plan), static_cast<int64_t>(file.size()))
            << onnx::name_of(storage) << ", " << what << ", trial " << trial;
    }
}

constexpr auto kActivations = {plan::Activations::kCoded, plan::Activations::kMixed,
                               plan::Activations::kFloat};

TEST(FileSize, IsTheSizeOfTheFileForAnyPlan) {
    for (onnx::Storage storage :
         {onnx::Storage::kPlanes, onnx::Storage::kInt4, onnx::Storage::kInt8}) {
        for (uint64_t seed = 0; seed < 12; ++seed) {
            net::Graph graph = net::residual_network(seed);
            if (seed == 7) graph.value(graph.inputs[0]).name = "x1";  // a name like ours
            net::raise_opset(graph, least_opset(storage));
            for (auto activations : kActivations) {
                expect_size_of_file(graph, storage, 12, seed, "seed " + std::to_string(seed),
                                    activations);
            }
        }
    }
}

TEST(FileSize, IsTheSizeWhereverChannelsMeet) {
    for (const net::Architecture& architecture : net::architectures()) {
        net::Graph graph = architecture.build();
        prepare_for_cutting(graph, net::find_coupling(graph));
        for (auto activations : kActivations) {
            expect_size_of_file(graph, onnx::Storage::kPlanes, 8, 1, architecture.name,
                                activations);
        }
    }
}

// Whichever branches go, a file is no smaller than its parts are where as many go as may.
TEST(FileSize, HasPartsThatAreNoLargerWhicheverBranchesGo) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
        plan::NetworkOptions options;
        options.branches = true;
        const net::Graph graph = net::residual_network(seed);
        const plan::Network network(graph, options);
        ASSERT_EQ(network.branches.size(), 2u);
        const FileSize size(graph, network, onnx::Storage::kPlanes);
        Random random(seed, 6);
        for (int trial = 0; trial < 20; ++trial) {
            const plan::Plan plan = random_plan(network, random);
            const auto counts = plan::cut_counts(plan);
            // Settled to go where the plan says so, else free or settled to stay.
            std::vector<int> free = plan.bits;
            for (size_t b = 0; b < 2; ++b) {
                if (plan::is_gone(network, plan.bits, b) || random.below(2)) continue;
                for (size_t k : network.branches[b].layers) free[k] = plan::kGone;
            }
            int64_t parts = size.other_bytes(counts, free);
            for (size_t k = 0; k < plan.bits.size(); ++k) {
                parts += size.layer_bytes(k, counts, plan.bits[k]);
            }
            EXPECT_LE(parts, size.bytes(plan));
        }
    }
}

// Short of it by what decodes the biases of layers that read codes, and by the length.
TEST(FileSize, HasPartsThatAreNoLargerWhateverIsFloat) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
        plan::NetworkOptions options;
        options.activations = plan::Activations::kMixed;
        const net::Graph graph = net::residual_network(seed);
        const plan::Network network(graph, options);
        const FileSize size(graph, network, onnx::Storage::kPlanes);
        Random random(seed, 7);
        for (int trial = 0; trial < 20; ++trial) {
            const plan::Plan plan = random_plan(network, random);
            const auto counts = plan::cut_counts(plan);
            int64_t parts = size.other_bytes(counts, plan.bits);
            for (size_t k = 0; k < plan.bits.size(); ++k) {
                const int64_t part = size.layer_bytes(k, counts, plan.bits[k]);
                EXPECT_GE(part, 0);
                parts += part;
            }
            EXPECT_LE(parts, size.bytes(plan));
            EXPECT_LE(size.bytes(plan) - parts, 9 + 90 * std::ssize(network.layers));
        }
    }
}

TEST(Cut, LeavesANetworkThatCostsWhatTheModelSays) {
    for (const net::Architecture& architecture : net::architectures()) {
        net::Graph graph = architecture.build();
        prepare_for_cutting(graph, net::find_coupling(graph));
        plan::NetworkOptions options;
        options.branches = true;
        const plan::Network network(graph, options);
        Random random(7, 5);
        for (int trial = 0; trial < 8; ++trial) {
            const plan::Plan plan = random_plan(network, random);
            const net::Graph cut = cut_by(graph, network, plan);
            const auto layers = net::find_layers(cut);
            const net::Coupling coupling = net::find_coupling(cut);
            const net::CostModel costs(cut, coupling, layers);
            const std::vector<int64_t> nothing(coupling.families.size(), 0);
            EXPECT_EQ(costs.cost(nothing, widths_of(network, plan).layers),
                      plan::cost(network, plan))
                << architecture.name << ", trial " << trial;
        }
    }
}

TEST(Cut, RemovesParametersAsTheCostModelSays) {
    for (uint64_t seed = 0; seed < 10; ++seed) {
        const net::Graph graph = net::residual_network(seed);
        plan::NetworkOptions options;
        options.branches = true;
        const plan::Network network(graph, options);
        Random random(seed, 5);
        const plan::Plan plan = random_plan(network, random);
        const net::Graph cut = cut_by(graph, network, plan);
        int64_t parameters = 0;
        for (const net::Layer& layer : net::find_layers(cut)) {
            parameters += layer.weights() + (layer.bias == net::kNoValue ? 0 : layer.filters);
        }
        EXPECT_EQ(parameters, plan::cost(network, plan).parameters);
        EXPECT_EQ(*cut.value(cut.outputs[0]).shape, *graph.value(graph.outputs[0]).shape);
    }
}

TEST(Cut, KeepsTheRightSlices) {
    const net::Graph graph = net::residual_network(4);
    const plan::Network network(graph);
    plan::Plan plan = plan::uniform_plan(network, 8);
    const net::GroupId first = network.filter_groups(1)[0];
    const auto [family, member] = network.coupling.groups[static_cast<size_t>(first)];
    plan.cut[static_cast<size_t>(family)][static_cast<size_t>(member)] = 1;
    const net::Graph cut = cut_groups(graph, network.coupling, plan::cut_flags(network, plan));
    const auto before = graph.constant(network.layers[1].weight)->as<float>();
    const auto after = cut.constant(network.layers[1].weight)->as<float>();
    const auto row = static_cast<size_t>(network.layers[1].inputs * 9);
    EXPECT_TRUE(
        std::equal(after.begin(), after.end(), before.begin() + static_cast<std::ptrdiff_t>(row)));
    const auto reader_before = graph.constant(network.layers[2].weight)->as<float>();
    const auto reader_after = cut.constant(network.layers[2].weight)->as<float>();
    const auto inputs = static_cast<size_t>(network.layers[2].inputs);
    for (size_t k = 0; k < reader_after.size(); ++k) {
        const size_t filter = k / ((inputs - 1) * 9), rest = k % ((inputs - 1) * 9);
        EXPECT_EQ(reader_after[k], reader_before[filter * inputs * 9 + 9 + rest]);
    }
}

TEST(Quantize, CodesEveryConvolutionAndDropsReluAndReduceMean) {
    const net::Graph graph = net::residual_network(2);
    const plan::Network network(graph);
    const Quantized quantized =
        quantize(graph, network.layers, {std::vector<int>(network.layers.size(), 4)},
                 onnx::Storage::kPlanes);
    const net::Uses uses(quantized.graph);
    int convolutions = 0;
    for (const net::Node& node : quantized.graph.nodes) {
        EXPECT_NE(node.op, "Relu");
        EXPECT_NE(node.op, "ReduceMean");
        if (node.op == "Slice" || node.op == "Pad") {
            EXPECT_EQ(quantized.graph.value(node.outputs[0]).type, net::DType::kUint8);
        }
        if (node.op != "Conv") continue;
        ++convolutions;
        for (net::ValueId id : node.inputs) {
            EXPECT_EQ(quantized.graph.nodes[static_cast<size_t>(uses.producer(id))].op,
                      "DequantizeLinear");
        }
        ASSERT_EQ(uses.readers(node.outputs[0]).size(), 1u);
        EXPECT_EQ(quantized.graph.nodes[static_cast<size_t>(uses.readers(node.outputs[0])[0])].op,
                  "QuantizeLinear");
    }
    EXPECT_EQ(convolutions, 5);
    EXPECT_EQ(quantized.graph.value(quantized.graph.outputs[0]).name,
              graph.value(graph.outputs[0]).name);
}

TEST(Quantize, RefusesWhatIsQuantizedOrHasNoLayers) {
    const net::Graph graph = net::residual_network(2);
    const plan::Network network(graph);
    require_quantizable(graph, network.layers);
    const Quantized quantized =
        quantize(graph, network.layers, {std::vector<int>(network.layers.size(), 4)},
                 onnx::Storage::kPlanes);
    EXPECT_THROW(require_quantizable(quantized.graph, net::find_layers(quantized.graph)),
                 InputError);
    EXPECT_THROW(require_quantizable({}, {}), InputError);
}

}  // namespace
}  // namespace adiabat::apply
