// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: a network with its `l1` problem and its exact costs.

#include <utility>
#include <vector>

#include "adiabat/apply/file_size.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/plan/budget.h"
#include "adiabat/plan/l1.h"
#include "adiabat/plan/reachable.h"

namespace adiabat::plan {

// Two convolutions, five inner channels.
inline net::Graph two_layers(uint64_t seed) {
    net::GraphBuilder b;
    net::ValueId x = b.input({net::kUnknown, 3, 6, 6});
    x = b.node("Relu", {b.node("Conv", {x, b.constant(net::random_tensor({5, 3, 3, 3}, seed))})});
    b.graph.outputs = {b.node("Conv", {x, b.constant(net::random_tensor({4, 5, 3, 3}, seed + 1))})};
    net::infer_shapes(b.graph);
    return b.graph;
}

// Two residual blocks on two channels, with two and one between their convolutions, and a
// convolution behind them.
inline net::Graph two_blocks(uint64_t seed) {
    net::GraphBuilder b;
    const auto conv = [&](net::ValueId x, int64_t from, int64_t to) {
        return b.node("Conv", {x, b.constant(net::random_tensor({to, from, 1, 1}, ++seed))});
    };
    net::ValueId x = b.node("Relu", {conv(b.input({net::kUnknown, 3, 4, 4}), 3, 2)});
    for (int64_t inner : {2, 1}) {
        const net::ValueId y = conv(b.node("Relu", {conv(x, 2, inner)}), inner, 2);
        x = b.node("Relu", {b.node("Add", {x, y})});
    }
    b.graph.outputs = {conv(x, 2, 3)};
    net::infer_shapes(b.graph);
    return b.graph;
}

inline NetworkOptions with_branches(NetworkOptions options = {}) {
    options.branches = true;
    return options;
}

inline NetworkOptions with_activations(NetworkOptions options = {}) {
    options.activations = Activations::kMixed;
    return options;
}

// Any allowed bits, about a third of the channels cut, a third of the branches gone.
inline Plan random_plan(const Network& network, Random& random) {
    Plan plan = uniform_plan(network, kMinBits);
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        const auto& widths = network.widths(k);
        plan.bits[k] = widths[random.below(static_cast<uint32_t>(widths.size()))];
    }
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        auto& cut = plan.cut[f];
        for (uint8_t& flag : cut) flag = random.below(3) == 0;
        const int64_t kept = network.groups(f) - cut_count(plan, f);
        int64_t missing = allowed_kept(network, f, kept) - kept;
        for (size_t i = 0; missing > 0; ++i) {
            missing -= cut[i];
            cut[i] = 0;
        }
    }
    for (size_t b = 0; b < network.branches.size(); ++b) {
        if (random.below(3) == 0) drop(network, plan, b);
    }
    return plan;
}

struct Fixture {
    explicit Fixture(net::Graph network_graph, double beta = 1, const NetworkOptions& options = {})
        : graph(std::move(network_graph)),
          network(graph, options),
          effects(sense::weight_effects(graph, network.layers, 1)),
          problem(network, effects, beta),
          file(graph, network, onnx::Storage::kPlanes),
          costs(network, [this](auto cut, auto bits) { return file.bytes(cut, bits); },
                {[this](size_t layer, auto cut, int bits) {
                     return file.layer_bytes(layer, cut, bits);
                 },
                 [this](auto cut, auto bits) { return file.other_bytes(cut, bits); }}) {}
    // Of the random residual network of that number.
    explicit Fixture(uint64_t seed, double beta = 1) : Fixture(net::residual_network(seed), beta) {}
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    Plan random_plan(Random& random) const { return plan::random_plan(network, random); }

    net::Graph graph;
    Network network;
    std::vector<sense::WeightEffects> effects;
    L1Problem problem;
    apply::FileSize file;
    CostFunctions costs;
};

}  // namespace adiabat::plan
