// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: the naive twin of decisions and certificates, which looks at every plan, and random
// problems small enough for it.

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <vector>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {

inline void drop_cuts(const Network& network, Plan& plan, size_t branch) {
    for (size_t f : network.branches[branch].families) {
        std::fill(plan.cut[f].begin(), plan.cut[f].end(), uint8_t{0});
    }
}

// Calls visit with every plan; the twin of all that is clever here.
inline void for_each_plan(const Network& network, const std::function<void(const Plan&)>& visit) {
    Plan plan = uniform_plan(network, kMinBits);
    // Without what is the branch's own, once.
    const std::function<void(size_t, Plan)> branches = [&](size_t b, Plan some) {
        if (b == network.branches.size()) return visit(some);
        branches(b + 1, some);
        const Plan before = some;
        for (size_t k : network.branches[b].layers) some.bits[k] = network.widths(k).back();
        drop_cuts(network, some, b);
        if (some != before) return;
        drop(network, some, b);
        branches(b + 1, some);
    };
    const std::function<void(size_t)> layers = [&](size_t k) {
        if (k == plan.bits.size()) return branches(0, plan);
        for (int bits : network.widths(k)) {
            plan.bits[k] = bits;
            layers(k + 1);
        }
    };
    const std::function<void(size_t, size_t)> groups = [&](size_t f, size_t i) {
        if (f == plan.cut.size()) return layers(0);
        if (i == plan.cut[f].size()) {
            const int64_t kept = network.groups(f) - cut_count(plan, f);
            if (kept == allowed_kept(network, f, kept)) groups(f + 1, 0);
            return;
        }
        for (uint8_t cut : {0, 1}) {
            plan.cut[f][i] = cut;
            groups(f, i + 1);
        }
        plan.cut[f][i] = 0;
    };
    groups(0, 0);
}

// Single energies that more savings raise, and couplings of both signs of that strength.
inline Hamiltonian random_hamiltonian(const Network& network, double strength, Random& random) {
    Hamiltonian result;
    result.name = "random";
    result.encoding = one_hot_encoding(network);
    qubo::Dense energy(result.encoding.variables);
    energy.add_offset(random.normal());
    for (size_t f = 0; f < network.families(); ++f) {
        for (size_t i = 0; i < static_cast<size_t>(network.groups(f)); ++i) {
            energy.add_linear(result.encoding.cut_variable(f, i), std::exp(random.normal()));
        }
    }
    for (size_t l = 0; l < network.tensors(); ++l) {
        const auto& bits = result.encoding.layers[l];
        for (int b = 0; b < bits.count; ++b) {
            energy.add_linear(bits.first + b, 8 * std::exp(random.normal() / 2 - b));
        }
    }
    for (int variable : result.encoding.branches) {
        energy.add_linear(variable, 4 * std::exp(random.normal()));
    }
    for (int i = 0; i < energy.variables(); ++i) {
        for (int j = 0; j < i; ++j) energy.add_coupling(i, j, strength * random.normal());
    }
    result.problem.form = energy;
    return result;
}

struct Twin {
    std::optional<Plan> best;
    double energy = 0;
};

inline Twin brute_force(const Fixture& fixture, const Hamiltonian& hamiltonian,
                        const std::vector<Budget>& budgets) {
    Twin twin;
    for_each_plan(fixture.network, [&](const Plan& plan) {
        const double energy = hamiltonian.energy(fixture.network, plan);
        if (twin.best && energy >= twin.energy) return;
        if (!is_feasible(budgets, fixture.costs, plan)) return;
        twin = {plan, energy};
    });
    return twin;
}

// Convolutions in a row with so many channels between them.
inline net::Graph chain(const std::vector<int64_t>& channels) {
    net::GraphBuilder b;
    net::ValueId x = b.input({net::kUnknown, 3, 4, 4});
    int64_t before = 3;
    for (int64_t filters : channels) {
        const auto weight = b.constant(net::random_tensor({filters, before, 1, 1}, 7));
        x = b.node("Relu", {b.node("Conv", {x, weight})});
        before = filters;
    }
    b.graph.outputs = {b.node("Conv", {x, b.constant(net::random_tensor({4, before, 1, 1}, 2))})};
    net::infer_shapes(b.graph);
    return b.graph;
}

inline NetworkOptions three_widths() {
    NetworkOptions options;
    options.widths = {2, 4, 8};
    return options;
}

// Some plan that keeps the budgets, and no good one.
inline Plan any_plan(const Fixture& fixture, const std::vector<Budget>& budgets) {
    return keeping_plan(fixture.network, fixture.costs, budgets).value();
}

// The limit lies so far between the least and the most.
inline Budget between(const Fixture& fixture, Quantity quantity, double share) {
    int64_t least = INT64_MAX, most = 0;
    for_each_plan(fixture.network, [&](const Plan& plan) {
        const int64_t cost = fixture.costs.cost(quantity, plan);
        least = std::min(least, cost);
        most = std::max(most, cost);
    });
    return {quantity, least + static_cast<int64_t>(share * static_cast<double>(most - least))};
}

}  // namespace adiabat::plan
