// SPDX-License-Identifier: Apache-2.0
//
// Surgery with a real engine: what is cut computes what is masked, for every way in which channels
// meet, and costs what the cost model says.
#include "adiabat/apply/cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "adiabat/apply/masked.test.h"
#include "adiabat/apply/prepare.h"
#include "adiabat/apply/random_cut.test.h"
#include "adiabat/net/architectures.test.h"
#include "adiabat/net/cost_model.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::pipeline {
namespace {

using net::Coupling;
using net::Graph;
using net::Tensor;

Tensor output_of(net::Engine& engine, const Graph& graph) {
    net::Shape shape = *graph.value(graph.inputs[0]).shape;
    shape[0] = 3;
    const Tensor images = net::random_tensor(shape, 7);
    const std::vector<net::Feed> feeds = {{graph.inputs[0], &images}};
    return engine.open(graph, {})->run(feeds, graph.outputs)[0];
}

void expect_close(const Tensor& a, const Tensor& b, const std::string& what) {
    ASSERT_EQ(a.shape, b.shape) << what;
    double scale = 0, apart = 0;
    for (size_t k = 0; k < a.as<float>().size(); ++k) {
        const double x = static_cast<double>(a.as<float>()[k]),
                     y = static_cast<double>(b.as<float>()[k]);
        scale = std::max(scale, std::abs(x));
        apart = std::max(apart, std::abs(x - y));
    }
    EXPECT_LE(apart, 1e-4 * scale) << what;
    EXPECT_GT(scale, 0) << what;
}

TEST(Cut, EqualsMaskedWhereverChannelsMeet) {
    const auto engine = load_engine();
    for (const net::Architecture& architecture : net::architectures()) {
        const Graph graph = architecture.build();
        const Coupling coupling = net::find_coupling(graph);
        EXPECT_EQ(static_cast<int>(coupling.groups.size()), architecture.groups)
            << architecture.name << (coupling.frozen.empty() ? "" : coupling.frozen[0].reason);
        const auto layers = net::find_layers(graph);
        const net::CostModel costs(graph, coupling, layers);
        const std::vector<int> bits(layers.size(), 32);
        Random random(3);
        for (int trial = 0; trial < 12; ++trial) {
            const auto cut = apply::random_cut(coupling, random.uniform(), random);
            const Graph small = apply::cut_groups(graph, coupling, cut);
            const std::string what =
                std::string(architecture.name) + ", trial " + std::to_string(trial);
            expect_close(output_of(*engine, apply::mask_groups(graph, coupling, cut)),
                         output_of(*engine, small), what);
            const net::Cost predicted = costs.cost(apply::counts_of(coupling, cut), bits);
            EXPECT_EQ(apply::parameters_of(small), predicted.parameters) << what;
            const auto small_layers = net::find_layers(small);
            const Coupling small_coupling = net::find_coupling(small);
            const net::CostModel counted(small, small_coupling, small_layers);
            EXPECT_EQ(counted.whole().macs, predicted.macs) << what;
            EXPECT_EQ(counted.whole().bytes, predicted.bytes) << what;
            if (coupling.movements.empty()) {
                EXPECT_EQ(counted.whole().activations, predicted.activations) << what;
            }
        }
    }
}

TEST(Cut, OfAPreparedGraphIsTheSame) {
    const auto engine = load_engine();
    for (const net::Architecture& architecture : net::architectures()) {
        const Graph graph = architecture.build();
        Graph prepared = graph;
        apply::prepare_for_cutting(prepared, net::find_coupling(graph));
        const Coupling coupling = net::find_coupling(prepared);
        EXPECT_EQ(static_cast<int>(coupling.groups.size()), architecture.groups)
            << architecture.name;
        EXPECT_TRUE(coupling.joint.empty() || coupling.movements.empty()) << architecture.name;
        expect_close(output_of(*engine, graph), output_of(*engine, prepared), architecture.name);
        Random random(4);
        const auto cut = apply::random_cut(coupling, random.uniform(), random);
        expect_close(output_of(*engine, apply::mask_groups(prepared, coupling, cut)),
                     output_of(*engine, apply::cut_groups(prepared, coupling, cut)),
                     architecture.name);
    }
}

TEST(Cut, WrittenAndReadBackComputesTheSame) {
    const auto engine = load_engine();
    for (const net::Architecture& architecture : net::architectures()) {
        const Graph graph = architecture.build();
        const Coupling coupling = net::find_coupling(graph);
        Random random(5);
        const Graph small = apply::cut_groups(
            graph, coupling, apply::random_cut(coupling, random.uniform(), random));
        Graph read = onnx::parse_model(onnx::serialize_model(small), architecture.name);
        net::infer_shapes(read);
        expect_close(output_of(*engine, small), output_of(*engine, read), architecture.name);
    }
}

TEST(Cut, DropsBranchesWithTheirBlocks) {
    const auto engine = load_engine();
    for (uint64_t seed = 0; seed < 8; ++seed) {
        const Graph graph = net::residual_network(seed);
        const Coupling coupling = net::find_coupling(graph);
        const auto branches = net::find_branches(graph);
        ASSERT_EQ(branches.size(), 2u);
        EXPECT_EQ(branches[0].weighted.size(), 2u);
        Random random(seed);
        for (unsigned subset = 0; subset < 4; ++subset) {
            std::vector<net::Branch> dropped;
            for (size_t k = 0; k < 2; ++k) {
                if (subset >> k & 1) dropped.push_back(branches[k]);
            }
            const auto cut = apply::random_cut(coupling, random.uniform(), random);
            const Graph small = apply::cut_groups(graph, coupling, cut, dropped);
            expect_close(output_of(*engine, apply::mask_groups(graph, coupling, cut, dropped)),
                         output_of(*engine, small), "seed " + std::to_string(seed));
            EXPECT_EQ(net::find_layers(small).size(),
                      net::find_layers(graph).size() - 2 * dropped.size());
        }
    }
}

TEST(Cut, RefusesToEmptyALayer) {
    const Graph graph = net::residual_network(1);
    const Coupling coupling = net::find_coupling(graph);
    const std::vector<uint8_t> all(coupling.groups.size(), 1);
    EXPECT_THROW(apply::cut_groups(graph, coupling, all), InputError);
}

}  // namespace
}  // namespace adiabat::pipeline
