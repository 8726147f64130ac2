// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/integer_program.h"

#include <gtest/gtest.h>

#include "adiabat/plan/brute_force.test.h"
#include "adiabat/plan/certificate.h"

namespace adiabat::plan {
namespace {

TEST(IntegerProgram, IsTheOptimumOfEveryBudget) {
    Random random(51);
    for (Quantity quantity : kQuantities) {
        const Fixture fixture(two_layers(random.below(100)), 1, three_widths());
        const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 0, random);
        for (double share : {0.2, 0.6}) {
            SCOPED_TRACE(std::string(name_of(quantity)));
            const std::vector<Budget> budgets = {between(fixture, quantity, share)};
            if (quantity == Quantity::kActivations) {
                EXPECT_THROW(
                    solve_integer_program(fixture.network, hamiltonian, budgets, fixture.costs),
                    InputError);
                continue;
            }
            const Twin twin = brute_force(fixture, hamiltonian, budgets);
            const auto found =
                solve_integer_program(fixture.network, hamiltonian, budgets, fixture.costs);
            ASSERT_TRUE(found.plan);
            EXPECT_TRUE(is_feasible(budgets, fixture.costs, *found.plan));
            EXPECT_NEAR(hamiltonian.energy(fixture.network, *found.plan), found.energy, 1e-9);
            EXPECT_LE(found.bound, twin.energy + 1e-6);
            EXPECT_GE(found.energy, twin.energy - 1e-9);
            if (quantity != Quantity::kFile) {
                EXPECT_TRUE(found.is_optimal);
            }
            EXPECT_TRUE(!found.is_optimal || found.energy <= twin.energy + 1e-6);
        }
    }
}

// Layers of more cells than are given variables of their own: the twin is branch and bound.
TEST(IntegerProgram, IsAsExactInLargeLayers) {
    const Fixture fixture(chain({10, 9}), 1, three_widths());
    Random random(52);
    const Hamiltonian hamiltonian = random_hamiltonian(fixture.network, 0, random);
    const net::Cost most = cost(fixture.network, uniform_plan(fixture.network, kMaxBits));
    for (const Budget& budget : {Budget{Quantity::kMacs, most.macs * 6 / 10},
                                 Budget{Quantity::kBytes, most.bytes * 5 / 10}}) {
        const std::vector<Budget> budgets = {budget};
        const auto found = solve_integer_program(fixture.network, hamiltonian, budgets,
                                                 fixture.costs, {.most_cells = 20});
        ASSERT_TRUE(found.plan && found.is_optimal);
        const Certificate twin = certify(fixture.network, hamiltonian, budgets, fixture.costs,
                                         any_plan(fixture, budgets), {.time_limit = 60});
        EXPECT_TRUE(twin.is_optimal);
        EXPECT_NEAR(found.energy, twin.energy, 1e-6 * std::abs(twin.energy));
    }
}

}  // namespace
}  // namespace adiabat::plan
