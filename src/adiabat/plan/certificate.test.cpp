// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/certificate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

// Calls visit with every plan; the twin of all that is clever here.
void for_each_plan(const Network& network, const std::function<void(const Plan&)>& visit) {
    Plan plan = uniform_plan(network, kMinBits);
    const std::function<void(size_t)> layers = [&](size_t k) {
        if (k == plan.bits.size()) return visit(plan);
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
Hamiltonian random_hamiltonian(const Network& network, double strength, Random& random) {
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
    for (size_t l = 0; l < network.layers.size(); ++l) {
        const auto& bits = result.encoding.layers[l];
        for (int b = 0; b < bits.count; ++b) {
            energy.add_linear(bits.first + b, 8 * std::exp(random.normal() / 2 - b));
        }
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

Twin brute_force(const Fixture& fixture, const Hamiltonian& hamiltonian,
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

NetworkOptions three_widths() {
    NetworkOptions options;
    options.widths = {2, 4, 8};
    return options;
}

// Some plan that keeps the budgets, and no good one.
Plan any_plan(const Fixture& fixture, const std::vector<Budget>& budgets) {
    return keeping_plan(fixture.network, fixture.costs, budgets).value();
}

// The limit lies so far between the least and the most.
Budget between(const Fixture& fixture, Quantity quantity, double share) {
    int64_t least = INT64_MAX, most = 0;
    for_each_plan(fixture.network, [&](const Plan& plan) {
        const int64_t cost = fixture.costs.cost(quantity, plan);
        least = std::min(least, cost);
        most = std::max(most, cost);
    });
    return {quantity, least + static_cast<int64_t>(share * static_cast<double>(most - least))};
}

void expect_proven(const Fixture& fixture, const Hamiltonian& hamiltonian,
                   const std::vector<Budget>& budgets) {
    const Twin twin = brute_force(fixture, hamiltonian, budgets);
    ASSERT_TRUE(twin.best);
    const Certificate found = certify(fixture.network, hamiltonian, budgets, fixture.costs,
                                      any_plan(fixture, budgets), {.time_limit = 60});
    EXPECT_TRUE(found.is_optimal) << found.bound << " of " << twin.energy;
    EXPECT_NEAR(found.energy, twin.energy, 1e-7 * (1 + std::abs(twin.energy)));
    EXPECT_LE(found.root_bound, twin.energy + 1e-7);
    EXPECT_LE(found.bound, found.energy);
    EXPECT_TRUE(is_feasible(budgets, fixture.costs, found.plan));
    EXPECT_EQ(hamiltonian.energy(fixture.network, found.plan), found.energy);
}

TEST(Certificate, IsTheOptimumOfEveryBudgetAndCoupling) {
    Random random(41);
    for (Quantity quantity : kQuantities) {
        for (double strength : {0.0, 0.1, 0.6}) {
            const Fixture fixture(two_layers(random.below(100)), 1, three_widths());
            const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, strength, random);
            for (double share : {0.2, 0.5, 0.8}) {
                SCOPED_TRACE(std::string(name_of(quantity)));
                expect_proven(fixture, hamiltonian, {between(fixture, quantity, share)});
            }
        }
    }
}

TEST(Certificate, HoldsSeveralBudgetsAndNone) {
    Random random(42);
    const Fixture fixture(two_layers(7), 1, three_widths());
    for (int trial = 0; trial < 6; ++trial) {
        const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 0.3, random);
        expect_proven(fixture, hamiltonian,
                      {between(fixture, Quantity::kMacs, 0.6), between(fixture, Quantity::kFile, 0.4),
                       between(fixture, Quantity::kActivations, 0.7)});
        expect_proven(fixture, hamiltonian, {});
    }
}

TEST(Certificate, KeepsToAlignmentAndLeastShares) {
    Random random(43);
    NetworkOptions options = three_widths();
    options.align = 2;
    options.least_kept = 0.4;
    net::GraphBuilder b;
    net::ValueId x = b.input({net::kUnknown, 3, 6, 6});
    x = b.node("Relu", {b.node("Conv", {x, b.constant(net::random_tensor({8, 3, 3, 3}, 1))})});
    b.graph.outputs = {b.node("Conv", {x, b.constant(net::random_tensor({4, 8, 3, 3}, 2))})};
    net::infer_shapes(b.graph);
    const Fixture fixture(b.graph, 1, options);
    for (int trial = 0; trial < 4; ++trial) {
        expect_proven(fixture, random_hamiltonian(fixture.network, 0.3, random),
                      {between(fixture, Quantity::kMacs, 0.5)});
    }
}

// A bound is one however soon it is wanted.
TEST(Certificate, IsTrueWhenThereIsNoTime) {
    Random random(44);
    const Fixture fixture(two_layers(3), 1, three_widths());
    for (int trial = 0; trial < 10; ++trial) {
        const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 1, random);
        const std::vector<Budget> budgets = {between(fixture, Quantity::kBytes, 0.3)};
        const Twin twin = brute_force(fixture, hamiltonian, budgets);
        const Certificate found = certify(fixture.network, hamiltonian, budgets, fixture.costs,
                                          any_plan(fixture, budgets), {.time_limit = 0});
        EXPECT_LE(found.bound, twin.energy + 1e-9);
        EXPECT_GE(found.energy, twin.energy - 1e-9);
        EXPECT_GE(found.gap, 0);
        EXPECT_TRUE(!found.is_optimal || found.energy <= twin.energy + 1e-7);
    }
}

}  // namespace
}  // namespace adiabat::plan
