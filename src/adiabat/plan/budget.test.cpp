// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/budget.h"

#include <gtest/gtest.h>

#include "adiabat/apply/cut.h"
#include "adiabat/apply/prepare.h"
#include "adiabat/net/architectures.test.h"
#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

const Originals kOriginals = {1000000,
                              {.parameters = 200000,
                               .bytes = 800000,
                               .macs = 40000000,
                               .bops = 40000000LL * 1024,
                               .activations = 65536}};

std::string refusal(const char* text, const Originals& originals = kOriginals) {
    try {
        parse_budgets(text, originals);
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

TEST(Budget, ReadsWhatPeopleWrite) {
    const auto one = [&](const char* text) { return parse_budgets(text, kOriginals).at(0).limit; };
    EXPECT_EQ(one("file=175KB"), 175000);
    EXPECT_EQ(one("file=1KiB"), 1024);
    EXPECT_EQ(one("file=30%"), 300000);
    EXPECT_EQ(one("bytes=8x"), 100000);
    EXPECT_EQ(one("activations=16KiB"), 16384);
    EXPECT_EQ(one("activations=25%"), 16384);
    EXPECT_EQ(one("params=120k"), 120000);
    EXPECT_EQ(one("params=4x"), 50000);
    EXPECT_EQ(one("macs=60%"), 24000000);
    EXPECT_EQ(one("macs=20M"), 20000000);
    EXPECT_EQ(one("macs=20000001"), 20000001);
    EXPECT_EQ(one("bops=1.5G"), 1500000000);
    EXPECT_EQ(one("bops=16x"), 40000000LL * 64);
    const auto several =
        parse_budgets("file=8x, macs=131072,  activations=1KB,bops=1g", kOriginals);
    ASSERT_EQ(several.size(), 4u);
    EXPECT_EQ(several[1].quantity, Quantity::kMacs);
    EXPECT_EQ(several[2].quantity, Quantity::kActivations);
    EXPECT_EQ(several[2].limit, 1000);
    EXPECT_EQ(several[3].quantity, Quantity::kBops);
}

TEST(Budget, RefusesAnythingElse) {
    for (const char* wrong : {"",
                              "175KB",
                              "file",
                              "file=",
                              "file=-3",
                              "file=0%",
                              "size=3KB",
                              "file=nan%",
                              "file=x",
                              "file=1KB,",
                              "file=1KB,file=2KB",
                              "macs=20MB",
                              "macs=1KiB",
                              "bops=2T",
                              "params=3B",
                              "MACS=3k",
                              "macs=60%,macs=3k",
                              "macs==3",
                              "file=1KB;macs=3",
                              "activations=3k",
                              "macs=0",
                              "bops=-1G",
                              "file=1e300x%"}) {
        const std::string why = refusal(wrong);
        EXPECT_EQ(why.rfind("--budget", 0), 0u) << wrong << ": " << why;
        EXPECT_EQ(why.find('\n'), std::string::npos) << wrong;
    }
    EXPECT_NE(refusal("mac=3k").find("params, macs, bops, activations or float"),
              std::string::npos);
    EXPECT_NE(refusal("macs=3KB").find("k, M or G"), std::string::npos);
    // No share of what cannot be counted.
    EXPECT_NE(refusal("macs=60%", {1000, {}}).find("not known"), std::string::npos);
    EXPECT_EQ(refusal("macs=60M", {1000, {}}), "");
}

// The real thing as the twin: the graph is cut, and counted anew.
TEST(Budget, CostsAreThoseOfTheCutGraph) {
    std::vector<net::Graph> graphs;
    for (const net::Architecture& architecture : net::architectures()) {
        graphs.push_back(architecture.build());
        apply::prepare_for_cutting(graphs.back(), net::find_coupling(graphs.back()));
    }
    for (uint64_t seed = 0; seed < 8; ++seed) graphs.push_back(net::residual_network(seed));
    Random random(8);
    int cuts = 0;
    for (const net::Graph& graph : graphs) {
        const Network network(graph);
        const CostFunctions costs(network, [](auto, auto) -> int64_t { return 0; });
        for (int trial = 0; trial < 6; ++trial) {
            const Plan plan = random_plan(network, random);
            const net::Graph cut =
                apply::cut_groups(graph, network.coupling, cut_flags(network, plan));
            const Network small(cut);
            ASSERT_EQ(small.layers.size(), network.layers.size());
            const std::vector<int64_t> nothing(small.families());
            const net::Cost counted = small.costs.cost(nothing, plan.bits);
            for (Quantity quantity : kQuantities) {
                if (quantity == Quantity::kFile) continue;  // apply.test.cpp
                EXPECT_EQ(costs.cost(quantity, plan), value_of(quantity, counted))
                    << name_of(quantity) << ", " << graph.name;
            }
            cuts += counted.parameters < network.costs.whole().parameters;
        }
    }
    EXPECT_GT(cuts, 50);
}

// Loops over the graph as the twin: who reads and makes what.
TEST(Budget, FloatActivationsCostWhatLoopsCount) {
    int64_t floats = 0;
    for (uint64_t seed = 0; seed < 8; ++seed) {
        const net::Graph graph = net::residual_network(seed);
        const Network network(graph, with_activations());
        ASSERT_GT(network.activations.size(), 8u);
        Random random(seed, 3);
        for (int trial = 0; trial < 20; ++trial) {
            const Plan plan = random_plan(network, random);
            std::vector<bool> is_float(graph.values.size(), false);
            for (net::ValueId id : float_values(network, plan)) {
                is_float[static_cast<size_t>(id)] = true;
            }
            // What stands before a ReLU is what stands behind it where nobody else reads it.
            const net::Uses uses(graph);
            const auto behind = [&](net::ValueId id) {
                const auto& readers = uses.readers(id);
                if (readers.size() != 1) return id;
                const net::Node& reader = graph.nodes[static_cast<size_t>(readers[0])];
                return reader.op == "Relu" ? reader.outputs[0] : id;
            };
            const auto counts = cut_counts(plan);
            int64_t bops = 0, float_macs = 0;
            for (size_t k = 0; k < network.layers.size(); ++k) {
                const net::Node& node = graph.nodes[static_cast<size_t>(network.layers[k].node)];
                const net::ValueId made = behind(node.outputs[0]);
                const bool in_float = is_float[static_cast<size_t>(node.inputs[0])] ||
                                      (node.op == "Conv" && is_float[static_cast<size_t>(made)]);
                const int64_t macs = network.costs.cost_of_layer(k, counts, plan.bits[k]).macs;
                bops += macs * plan.bits[k] * (in_float ? 32 : 8);
                float_macs += in_float ? macs : 0;
            }
            EXPECT_EQ(cost(network, plan).bops, bops);
            EXPECT_EQ(cost(network, plan).float_macs, float_macs);
            floats += float_macs;
        }
    }
    EXPECT_GT(floats, 0);
}

// All of 4 bytes where nothing is coded; of 1 where all is, but for the outputs.
TEST(Budget, PeaksCountWhatIsFloat) {
    NetworkOptions options = with_activations();
    for (uint64_t seed = 0; seed < 8; ++seed) {
        const net::Graph graph = net::residual_network(seed);
        const Network network(graph, options);
        Plan plan = uniform_plan(network, kMinBits);
        const int64_t coded = cost(network, plan).activations;
        EXPECT_EQ(4 * coded, network.costs.whole().activations);
        for (size_t k = network.layers.size(); k < network.tensors(); ++k) {
            const int64_t before = cost(network, plan).activations;
            plan.bits[k] = net::kFloatBits;
            EXPECT_GE(cost(network, plan).activations, before);
        }
        EXPECT_EQ(cost(network, plan).activations, 4 * coded);
    }
}

TEST(Budget, OnePointOfViewOfEveryCost) {
    const Fixture f(5);
    Random random(5);
    int kept = 0;
    for (int trial = 0; trial < 200; ++trial) {
        const Plan plan = random_plan(f.network, random), other = random_plan(f.network, random);
        const auto counts = cut_counts(plan);
        std::vector<Budget> budgets;
        bool feasible = true;
        for (Quantity quantity : kQuantities) {
            const int64_t here = f.costs.cost(quantity, plan);
            EXPECT_EQ(here, f.costs.cost(quantity, counts, plan.bits));
            if (random.below(3)) continue;
            budgets.push_back({quantity, f.costs.cost(quantity, other)});
            feasible = feasible && here <= budgets.back().limit;
        }
        EXPECT_EQ(f.costs.cost(Quantity::kFile, plan), f.file.bytes(plan));
        EXPECT_EQ(f.costs.cost(Quantity::kBops, plan), cost(f.network, plan).bops);
        EXPECT_EQ(is_feasible(budgets, f.costs, plan), feasible);
        std::vector<int64_t> values(budgets.size());
        costs_of(budgets, f.costs, counts, plan.bits, values);
        for (size_t k = 0; k < budgets.size(); ++k) {
            EXPECT_EQ(values[k], f.costs.cost(budgets[k].quantity, plan));
        }
        kept += feasible && !budgets.empty();
    }
    EXPECT_GT(kept, 10);
    EXPECT_LT(kept, 190);
}

}  // namespace
}  // namespace adiabat::plan
