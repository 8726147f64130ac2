// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "adiabat/plan/problems.test.h"

namespace adiabat::plan {
namespace {

// Of the file and of products, both tight.
std::vector<Budget> tight_budgets(const Fixture& f) {
    Plan plan = uniform_plan(f.network, 4);
    for (auto& cut : plan.cut) std::fill_n(cut.begin(), cut.size() / 4, uint8_t{1});
    return {{Quantity::kFile, f.costs.cost(Quantity::kFile, plan)},
            {Quantity::kMacs, f.costs.cost(Quantity::kMacs, plan)}};
}

TEST(Wall, SaysByHowMuchEachBudgetIsBroken) {
    const Fixture f(4);
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 4);
    const auto budgets = tight_budgets(f);
    std::mutex lock;
    Wall wall(budgets, f.costs, lock);
    Random random(4);
    State state(f.network, hamiltonian, uniform_plan(f.network, 8));
    int kept = 0;
    for (int trial = 0; trial < 3000; ++trial) {
        const Plan plan = f.random_plan(random);
        state.set(plan);
        for (int again = 0; again < 2; ++again) {
            const Wall::Excess& excess = wall.excess(state.shape());
            for (size_t k = 0; k < budgets.size(); ++k) {
                const double ratio = static_cast<double>(f.costs.cost(budgets[k].quantity, plan)) /
                                     static_cast<double>(budgets[k].limit);
                EXPECT_NEAR(excess[k], std::max(0.0, ratio - 1), 1e-6);
            }
            EXPECT_EQ(wall.keeps(state.shape()), is_feasible(budgets, f.costs, plan));
        }
        kept += wall.keeps(state.shape());
    }
    EXPECT_GT(kept, 30);
    EXPECT_LT(kept, 2970);
}

// One byte too much is too much.
TEST(Wall, StandsAtTheLastByte) {
    const Fixture f(4);
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 4);
    const Plan plan = uniform_plan(f.network, 4);
    const State state(f.network, hamiltonian, plan);
    const int64_t cost = f.costs.cost(Quantity::kFile, plan);
    std::mutex lock;
    for (int64_t less : {0, 1}) {
        const std::vector<Budget> budgets = {{Quantity::kFile, cost - less}};
        Wall wall(budgets, f.costs, lock);
        EXPECT_EQ(wall.keeps(state.shape()), less == 0);
    }
}

TEST(Search, NeverLeavesTheBudgetsOrLosesGround) {
    int better = 0;
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Fixture f(seed);
        const auto budgets = tight_budgets(f);
        std::mutex lock;
        for (const Hamiltonian& hamiltonian :
             {random_hamiltonian(f.network, seed), random_factored(f.network, seed),
              f.problem.hamiltonian()}) {
            Wall wall(budgets, f.costs, lock);
            State state(f.network, hamiltonian, uniform_plan(f.network, 8));
            ASSERT_TRUE(reach_budgets(state, wall));
            const Plan start = state.plan();
            const double energy = hamiltonian.energy(f.network, start);
            EXPECT_NEAR(state.energy(), energy, 1e-9 * (1 + std::abs(energy)));
            Pool pool(8, 2);
            const SearchCounts counts = anneal_within(state, wall, 5000, Random(seed), pool);
            EXPECT_EQ(counts.proposals, 5000);
            ASSERT_FALSE(pool.found().empty());
            for (const Found& found : pool.found()) {
                check_plan(f.network, found.plan);
                EXPECT_TRUE(is_feasible(budgets, f.costs, found.plan));
                EXPECT_NEAR(found.energy, hamiltonian.energy(f.network, found.plan),
                            1e-8 * (1 + std::abs(energy)));
            }
            EXPECT_EQ(state.plan(), pool.found()[0].plan);
            EXPECT_LE(state.energy(), energy + 1e-9 * std::abs(energy));
            better += state.energy() < energy;

            State again(f.network, hamiltonian, start);
            Pool other(8, 2);
            anneal_within(again, wall, 5000, Random(seed), other);
            EXPECT_EQ(again.plan(), state.plan());
        }
    }
    EXPECT_GE(better, 8);
}

// The naive twin of the descent's end: no single step, no swap and no pair of steps lowers the
// energy within the budgets.
TEST(Search, PolishedPlansHaveNoBetterNeighbor) {
    for (uint64_t seed = 0; seed < 3; ++seed) {
        const Fixture f(seed);
        const auto budgets = tight_budgets(f);
        const Hamiltonian hamiltonian = random_hamiltonian(f.network, seed);
        std::mutex lock;
        Wall wall(budgets, f.costs, lock);
        State state(f.network, hamiltonian, uniform_plan(f.network, 8));
        ASSERT_TRUE(reach_budgets(state, wall));
        polish(state, wall);
        const auto worse = [&](const Plan& plan) {
            return !is_feasible(budgets, f.costs, plan) ||
                   hamiltonian.energy(f.network, plan) > state.energy() - 1e-9;
        };
        const Plan plan = state.plan();
        // Each group and each width alone, and all pairs of two different places.
        std::vector<std::pair<size_t, Plan>> singles;
        for (size_t g = 0; g < plan.cut.size(); ++g) {
            for (size_t m = 0; m < plan.cut[g].size(); ++m) {
                Plan other = plan;
                other.cut[g][m] ^= 1;
                if (cut_count(other, g) < f.network.groups(g)) singles.emplace_back(g, other);
            }
        }
        for (size_t k = 0; k < plan.bits.size(); ++k) {
            for (int by : {-1, 1}) {
                Plan other = plan;
                other.bits[k] += by;
                if (other.bits[k] < kMinBits || other.bits[k] > kMaxBits) continue;
                singles.emplace_back(plan.cut.size() + k, other);
            }
        }
        for (const auto& [place, single] : singles) {
            EXPECT_TRUE(worse(single));
            for (const auto& [other_place, second] : singles) {
                const bool swap = place == other_place && place < plan.cut.size() &&
                                  cut_count(single, place) != cut_count(second, place);
                if (place == other_place && !swap) continue;
                Plan both = single;
                for (size_t g = 0; g < both.cut.size(); ++g) {
                    for (size_t m = 0; m < both.cut[g].size(); ++m) {
                        both.cut[g][m] ^= second.cut[g][m] ^ plan.cut[g][m];
                    }
                }
                for (size_t k = 0; k < both.bits.size(); ++k) {
                    both.bits[k] += second.bits[k] - plan.bits[k];
                }
                // A step takes its best group; given the first, another may be the best for both.
                if (!swap && place < plan.cut.size()) continue;
                EXPECT_TRUE(worse(both)) << "places " << place << " and " << other_place;
            }
        }
    }
}

TEST(Pool, KeepsTheBestDifferentPlans) {
    const Fixture f(2);
    Random random(2);
    Pool pool(5, 3);
    std::vector<Found> offered;
    for (int k = 0; k < 300; ++k) {
        offered.push_back({f.random_plan(random), random.uniform()});
        if (k % 2) offered.back().plan.bits = offered[0].plan.bits;
        pool.offer(offered.back().plan, offered.back().energy);
    }
    ASSERT_EQ(pool.found().size(), 5u);
    const auto lowest =
        std::min_element(offered.begin(), offered.end(),
                         [](const Found& a, const Found& b) { return a.energy < b.energy; });
    EXPECT_EQ(pool.found()[0].plan, lowest->plan);
    for (size_t a = 0; a < 5; ++a) {
        for (size_t b = a + 1; b < 5; ++b) {
            const Plan &one = pool.found()[a].plan, &two = pool.found()[b].plan;
            EXPECT_LE(pool.found()[a].energy, pool.found()[b].energy);
            int different = 0;
            for (size_t g = 0; g < one.cut.size(); ++g) {
                for (size_t m = 0; m < one.cut[g].size(); ++m) {
                    different += one.cut[g][m] != two.cut[g][m];
                }
            }
            EXPECT_TRUE(one.bits != two.bits || different >= 3);
        }
    }
}

}  // namespace
}  // namespace adiabat::plan
