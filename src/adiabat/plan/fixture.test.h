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

struct Fixture {
    explicit Fixture(net::Graph network_graph, double beta = 1, const NetworkOptions& options = {})
        : graph(std::move(network_graph)),
          network(graph, options),
          effects(sense::weight_effects(graph, network.layers, 1)),
          problem(network, effects, beta),
          file(graph, network, onnx::Storage::kPlanes),
          costs(network, [this](auto cut, auto bits) { return file.bytes(cut, bits); }) {}
    // Of the random residual network of that number.
    explicit Fixture(uint64_t seed, double beta = 1) : Fixture(net::residual_network(seed), beta) {}
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    // Any bits, about a third of the channels cut.
    Plan random_plan(Random& random) const {
        Plan plan = uniform_plan(network, kMinBits);
        for (int& bits : plan.bits) bits = kMinBits + static_cast<int>(random.below(7));
        for (auto& cut : plan.cut) {
            for (size_t i = kLeastKept; i < cut.size(); ++i) cut[i] = random.below(3) == 0;
        }
        return plan;
    }

    net::Graph graph;
    Network network;
    std::vector<sense::WeightEffects> effects;
    L1Problem problem;
    apply::FileSize file;
    CostFunctions costs;
};

}  // namespace adiabat::plan
