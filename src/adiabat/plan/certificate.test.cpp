// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/certificate.h"

#include <gtest/gtest.h>

#include "adiabat/plan/brute_force.test.h"

namespace adiabat::plan {
namespace {

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

void expect_proven_at_every_budget(const Fixture& fixture, Random& random) {
    for (Quantity quantity : kQuantities) {
        for (double strength : {0.0, 0.3, 1.0}) {
            SCOPED_TRACE(std::string(name_of(quantity)));
            const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, strength, random);
            for (double share : {0.15, 0.5}) {
                expect_proven(fixture, hamiltonian, {between(fixture, quantity, share)});
            }
        }
    }
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
        expect_proven(
            fixture, hamiltonian,
            {between(fixture, Quantity::kMacs, 0.6), between(fixture, Quantity::kFile, 0.4),
             between(fixture, Quantity::kActivations, 0.7)});
        expect_proven(fixture, hamiltonian, {});
    }
}

// Layers between two families, whose counts depend on each other.
TEST(Certificate, IsTheOptimumOfCoupledLayers) {
    Random random(45);
    NetworkOptions options;
    options.widths = {3, 8};
    const Fixture fixture(chain({4, 4}), 1, options);
    for (Quantity quantity : kQuantities) {
        for (double strength : {0.1, 0.5, 2.0}) {
            SCOPED_TRACE(std::string(name_of(quantity)));
            expect_proven(fixture, random_hamiltonian(fixture.network, strength, random),
                          {between(fixture, quantity, random.uniform())});
        }
    }
}

// Branches that may go, with all that is their own.
TEST(Certificate, IsTheOptimumWhereBranchesMayGo) {
    Random random(46);
    NetworkOptions options = with_branches();
    options.widths = {3, 8};
    const Fixture fixture(two_blocks(5), 1, options);
    ASSERT_EQ(fixture.network.branches.size(), 2u);
    expect_proven_at_every_budget(fixture, random);
    for (int trial = 0; trial < 4; ++trial) {
        const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 0.5, random);
        expect_proven(
            fixture, hamiltonian,
            {between(fixture, Quantity::kMacs, 0.5), between(fixture, Quantity::kFile, 0.5),
             between(fixture, Quantity::kActivations, 0.8)});
        expect_proven(fixture, hamiltonian, {});
    }
}

TEST(Certificate, IsTheOptimumWhereActivationsMayBeFloat) {
    Random random(47);
    NetworkOptions options = with_activations();
    options.widths = {3, 8};
    const Fixture fixture(chain({3, 3}), 1, options);
    ASSERT_EQ(fixture.network.activations.size(), 3u);
    expect_proven_at_every_budget(fixture, random);
    for (int trial = 0; trial < 4; ++trial) {
        const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 0.5, random);
        expect_proven(
            fixture, hamiltonian,
            {between(fixture, Quantity::kFloat, 0.3), between(fixture, Quantity::kFile, 0.5),
             between(fixture, Quantity::kBops, 0.3)});
    }
}

// An axis of two families, behind it one of three: totals, and totals of totals.
net::Graph concatenations(uint64_t seed) {
    net::GraphBuilder b;
    const auto conv = [&](net::ValueId x, int64_t from, int64_t to) {
        return b.node("Conv", {x, b.constant(net::random_tensor({to, from, 1, 1}, ++seed))});
    };
    const auto concatenate = [&](net::ValueId x, net::ValueId y) {
        return b.node("Concat", {x, y}, {{"axis", int64_t{1}}});
    };
    net::ValueId x = b.node("Relu", {conv(b.input({net::kUnknown, 3, 4, 4}), 3, 2)});
    x = concatenate(x, b.node("Relu", {conv(x, 2, 2)}));
    x = concatenate(x, b.node("Relu", {conv(x, 4, 2)}));
    b.graph.outputs = {conv(x, 6, 3)};
    net::infer_shapes(b.graph);
    return b.graph;
}

TEST(Certificate, IsTheOptimumWhereFamiliesShareAxes) {
    Random random(48);
    NetworkOptions options;
    options.widths = {3, 8};
    const Fixture fixture(concatenations(9), 1, options);
    ASSERT_EQ(fixture.network.families(), 3u);
    expect_proven_at_every_budget(fixture, random);
    for (int trial = 0; trial < 4; ++trial) {
        expect_proven(
            fixture, random_hamiltonian(fixture.network, 0.5, random),
            {between(fixture, Quantity::kMacs, 0.5), between(fixture, Quantity::kFile, 0.4)});
    }
}

// Both axes are one family's.
TEST(Certificate, IsTheOptimumOfDepthwiseLayers) {
    net::GraphBuilder b;
    const auto weight = [&](net::Shape shape, uint64_t seed) {
        return b.constant(net::random_tensor(std::move(shape), seed));
    };
    net::ValueId x = b.input({net::kUnknown, 3, 4, 4});
    x = b.node("Relu", {b.node("Conv", {x, weight({4, 3, 1, 1}, 1)})});
    x = b.node("Conv", {x, weight({4, 1, 3, 3}, 2)}, {{"group", int64_t{4}}});
    b.graph.outputs = {b.node("Conv", {x, weight({3, 4, 1, 1}, 3)})};
    net::infer_shapes(b.graph);
    Random random(49);
    const Fixture fixture(b.graph, 1, three_widths());
    ASSERT_EQ(fixture.network.families(), 1u);
    expect_proven_at_every_budget(fixture, random);
}

TEST(Certificate, KeepsToAlignmentAndLeastShares) {
    Random random(43);
    NetworkOptions options = three_widths();
    options.align = 2;
    options.least_kept = 0.4;
    const Fixture fixture(chain({8}), 1, options);
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
        // The first bound is not cut off.
        EXPECT_GE(found.root_bound, twin.energy - 8);
        EXPECT_TRUE(!found.is_optimal || found.energy <= twin.energy + 1e-7);
    }
}

}  // namespace
}  // namespace adiabat::plan
