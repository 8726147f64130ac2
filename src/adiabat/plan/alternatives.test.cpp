// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/alternatives.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

using Kind = Alternative::Kind;

// The naive twin: energies of the plans one swap away, and one step, that keep the budgets.
struct Twin {
    const Fixture& f;
    const Hamiltonian& hamiltonian;
    const std::vector<Budget>& budgets;
    Plan at;
    std::vector<double> swaps = {}, steps = {}, exchanges = {};  // of exchanges, two widths alone

    void add(std::vector<double>& list, const Plan& plan) const {
        if (!is_feasible(budgets, f.costs, plan)) return;
        list.push_back(hamiltonian.energy(f.network, plan) - hamiltonian.energy(f.network, at));
    }
    void explore_exchanges() {
        for (size_t a = 0; a < at.bits.size(); ++a) {
            for (size_t b = 0; b < at.bits.size(); ++b) {
                for (int less = kMinBits; less < at.bits[a]; ++less) {
                    for (int more = at.bits[b] + 1; a != b && more <= kMaxBits; ++more) {
                        Plan plan = at;
                        plan.bits[a] = less;
                        plan.bits[b] = more;
                        add(exchanges, plan);
                    }
                }
            }
        }
    }
    void explore() {
        for (size_t k = 0; k < at.bits.size(); ++k) {
            for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
                if (bits == at.bits[k]) continue;
                Plan plan = at;
                plan.bits[k] = bits;
                add(steps, plan);
            }
        }
        explore_exchanges();
        for (size_t family = 0; family < at.cut.size(); ++family) {
            // Of the groups that a step may take the best is taken, budgets or not: all cost alike.
            std::vector<double> cuts, revivals;
            for (size_t i = 0; i < at.cut[family].size(); ++i) {
                Plan plan = at;
                plan.cut[family][i] ^= 1;
                const int64_t kept = f.network.groups(family) - cut_count(plan, family);
                if (kept == allowed_kept(f.network, family, kept)) {
                    add(plan.cut[family][i] ? cuts : revivals, plan);
                }
                for (size_t j = 0; j < at.cut[family].size(); ++j) {
                    if (at.cut[family][i] || !at.cut[family][j]) continue;
                    Plan swapped = at;
                    std::swap(swapped.cut[family][i], swapped.cut[family][j]);
                    add(swaps, swapped);
                }
            }
            for (const auto& list : {cuts, revivals}) {
                if (!list.empty()) steps.push_back(*std::min_element(list.begin(), list.end()));
            }
        }
        std::sort(swaps.begin(), swaps.end());
        std::sort(steps.begin(), steps.end());
    }
};

TEST(Alternatives, AreTheNearestOfTheirKind) {
    constexpr size_t kKeep = 6;
    size_t swaps = 0, steps = 0, exchanges = 0;
    for (uint64_t seed = 0; seed < 12; ++seed) {
        const Fixture f(seed);
        const Hamiltonian hamiltonian = f.problem.hamiltonian();
        Random random(seed, 3);
        const Plan plan = f.random_plan(random);
        std::vector<Budget> budgets;
        for (Quantity quantity : {Quantity::kFile, Quantity::kMacs}) {
            const int64_t cost = f.costs.cost(quantity, plan);
            budgets.push_back(
                {quantity, cost + random.below(static_cast<uint32_t>(cost / 20 + 1))});
        }
        State state(f.network, hamiltonian, plan);
        std::mutex lock;
        Wall wall(budgets, f.costs, lock);
        const auto found = nearest_alternatives(state, wall, kKeep);
        EXPECT_EQ(state.plan(), plan);
        Twin twin{f, hamiltonian, budgets, plan};
        twin.explore();
        std::vector<double> of_kind[3];
        const double energy = hamiltonian.energy(f.network, plan);
        for (const Alternative& each : found) {
            const Plan after = plan_after(state, each.move);
            check_plan(f.network, after);
            EXPECT_NE(after, plan);
            EXPECT_NEAR(hamiltonian.energy(f.network, after) - energy, each.move.energy, 1e-12);
            EXPECT_TRUE(is_feasible(budgets, f.costs, after));
            for (size_t k = 0; k < budgets.size(); ++k) {
                EXPECT_EQ(each.costs[k], f.costs.cost(budgets[k].quantity, after));
            }
            of_kind[static_cast<size_t>(each.kind)].push_back(each.move.energy);
        }
        for (const auto& [kind, all] :
             {std::pair{Kind::kSwap, &twin.swaps}, {Kind::kStep, &twin.steps}}) {
            const auto& list = of_kind[static_cast<size_t>(kind)];
            ASSERT_EQ(list.size(), std::min(kKeep, all->size())) << seed;
            for (size_t k = 0; k < list.size(); ++k) EXPECT_NEAR(list[k], (*all)[k], 1e-12);
        }
        const auto& found_exchanges = of_kind[static_cast<size_t>(Kind::kExchange)];
        std::sort(twin.exchanges.begin(), twin.exchanges.end());
        for (size_t k = 0; k < std::min(kKeep, twin.exchanges.size()); ++k) {
            ASSERT_GT(found_exchanges.size(), k);
            EXPECT_LE(found_exchanges[k], twin.exchanges[k] + 1e-12);
        }
        swaps += twin.swaps.size();
        steps += twin.steps.size();
        exchanges += of_kind[static_cast<size_t>(Kind::kExchange)].size();
    }
    EXPECT_GT(swaps, 100u);
    EXPECT_GT(steps, 50u);
    EXPECT_GT(exchanges, 20u);
}

}  // namespace
}  // namespace adiabat::plan
