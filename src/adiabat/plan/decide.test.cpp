// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/decide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "adiabat/plan/problems.test.h"
#include "adiabat/plan/reachable.h"

namespace adiabat::plan {
namespace {

Decision decided(const Fixture& f, const Hamiltonian& hamiltonian,
                 const std::vector<Budget>& budgets, const DecideOptions& options) {
    Decision decision = decide(f.network, hamiltonian, budgets, f.costs, options);
    EXPECT_FALSE(decision.plans.empty());
    EXPECT_LE(decision.plans.size(), options.keep);
    EXPECT_EQ(decision.plans.size(), decision.energies.size());
    EXPECT_LE(decision.energy(), decision.start_energy + 1e-9 * std::abs(decision.start_energy));
    for (size_t k = 0; k < decision.plans.size(); ++k) {
        check_plan(f.network, decision.plans[k]);
        EXPECT_TRUE(is_feasible(budgets, f.costs, decision.plans[k]));
        EXPECT_EQ(decision.energies[k], hamiltonian.energy(f.network, decision.plans[k]));
        if (k > 0) {
            EXPECT_GE(decision.energies[k], decision.energies[k - 1]);
        }
    }
    return decision;
}

std::vector<Budget> between(const Fixture& f, Quantity quantity, int percent) {
    const Reachable range = reachable(f.network, f.costs, quantity);
    return {{quantity, range.smallest + (range.largest - range.smallest) * percent / 100}};
}

// The naive twin: every plan there is.
double least_energy(const Fixture& f, const Hamiltonian& hamiltonian,
                    const std::vector<Budget>& budgets) {
    double least = std::numeric_limits<double>::infinity();
    for_each_plan(f.network, [&](const Plan& plan) {
        if (is_feasible(budgets, f.costs, plan))
            least = std::min(least, hamiltonian.energy(f.network, plan));
    });
    return least;
}

TEST(Decide, FindsTheBestPlanOfSmallNetworks) {
    int optimal = 0, cases = 0;
    for (uint64_t seed = 0; seed < 2; ++seed) {
        const Fixture f(two_layers(10 * seed));
        for (const Hamiltonian& hamiltonian :
             {f.problem.hamiltonian(), random_hamiltonian(f.network, seed),
              random_factored(f.network, seed)}) {
            for (int percent : {0, 20, 50, 100}) {
                for (Quantity quantity : {Quantity::kBytes, Quantity::kMacs}) {
                    const auto budgets = between(f, quantity, percent);
                    const Decision decision =
                        decided(f, hamiltonian, budgets, {.seed = seed, .threads = 1});
                    const double least = least_energy(f, hamiltonian, budgets);
                    EXPECT_GE(decision.energy(), least - 1e-9 * std::abs(least));
                    optimal += decision.energy() <= least + 1e-9 * std::abs(least);
                    ++cases;
                }
            }
        }
    }
    EXPECT_EQ(optimal, cases);
}

TEST(Decide, FindsTheBestPlanWhereBranchesMayGo) {
    NetworkOptions options = with_branches();
    options.widths = {3, 5, 8};
    const Fixture f(two_blocks(2), 1, options);
    int with = 0;
    for (uint64_t seed = 0; seed < 4; ++seed) {
        for (const Hamiltonian& hamiltonian :
             {random_hamiltonian(f.network, seed), random_factored(f.network, seed)}) {
            for (int percent : {0, 20, 50, 100}) {
                for (Quantity quantity : {Quantity::kFile, Quantity::kMacs}) {
                    const auto budgets = between(f, quantity, percent);
                    const Decision decision =
                        decided(f, hamiltonian, budgets, {.seed = seed, .threads = 1});
                    const double least = least_energy(f, hamiltonian, budgets);
                    EXPECT_NEAR(decision.energy(), least, 1e-9 * std::abs(least));
                    const auto& bits = decision.plan().bits;
                    with += std::find(bits.begin(), bits.end(), kGone) != bits.end();
                }
            }
        }
    }
    EXPECT_GT(with, 16);
    EXPECT_LT(with, 64);
}

TEST(Decide, FindsTheBestPlanWhereActivationsMayBeFloat) {
    NetworkOptions options = with_activations();
    options.widths = {3, 5, 8};
    const Fixture f(two_blocks(2), 1, options);
    int floats = 0, codes = 0;
    for (uint64_t seed = 0; seed < 2; ++seed) {
        for (const Hamiltonian& hamiltonian :
             {random_hamiltonian(f.network, seed), random_factored(f.network, seed)}) {
            for (int percent : {0, 30, 60}) {
                for (Quantity quantity : {Quantity::kBops, Quantity::kFloat}) {
                    const auto budgets = between(f, quantity, percent);
                    const Decision decision =
                        decided(f, hamiltonian, budgets, {.seed = seed, .threads = 1});
                    const double least = least_energy(f, hamiltonian, budgets);
                    EXPECT_NEAR(decision.energy(), least, 1e-9 * std::abs(least));
                    for (size_t k = f.network.layers.size(); k < f.network.tensors(); ++k) {
                        ++(decision.plan().bits[k] == net::kFloatBits ? floats : codes);
                    }
                }
            }
        }
    }
    EXPECT_GT(floats, 10);
    EXPECT_GT(codes, 10);
}

TEST(Decide, HonorsAlignmentAndWhatStays) {
    NetworkOptions options;
    options.align = 2;
    options.least_kept = 0.5;
    options.widths = {3, 4, 8};
    const net::Graph graph = two_layers(3);
    const Fixture f(graph, 1, options);
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Hamiltonian hamiltonian = random_hamiltonian(f.network, seed);
        for (int percent : {0, 30, 100}) {
            const auto budgets = between(f, Quantity::kBytes, percent);
            const Decision decision = decided(f, hamiltonian, budgets, {.seed = seed});
            const double least = least_energy(f, hamiltonian, budgets);
            EXPECT_LE(decision.energy(), least + 1e-9 * std::abs(least));
        }
    }
}

// Where all fits, the plan of least energy need not be the network as it is.
TEST(Decide, LooksForWhatIsLowerWhereEverythingFits) {
    const Fixture f(two_layers(1));
    const auto everything = between(f, Quantity::kBytes, 100);
    const Plan whole = uniform_plan(f.network, kMaxBits);
    const Hamiltonian l1 = f.problem.hamiltonian();
    EXPECT_EQ(decided(f, l1, everything, {}).plan(), whole);
    EXPECT_EQ(decided(f, l1, {}, {}).plan(), whole);
    const Hamiltonian random = random_hamiltonian(f.network, 1);
    EXPECT_LT(decided(f, random, {}, {}).energy(), random.energy(f.network, whole));
}

TEST(Decide, KeepsEveryBudgetOnResidualNetworks) {
    for (uint64_t seed = 0; seed < 2; ++seed) {
        const Fixture f(seed);
        const Hamiltonian hamiltonian = f.problem.hamiltonian();
        double before = std::numeric_limits<double>::infinity();
        for (int percent : {20, 40, 60, 95}) {
            const std::vector<Budget> budgets = {between(f, Quantity::kFile, percent)[0],
                                                 between(f, Quantity::kBytes, percent)[0]};
            const Decision decision =
                decided(f, hamiltonian, budgets, {.seed = seed, .effort = 0.3});
            EXPECT_LT(decision.energy(), before);  // more room, less loss
            before = decision.energy();
        }
    }
}

TEST(Decide, SameSeedSamePlansForAnyNumberOfThreads) {
    const Fixture f(5);
    const auto budgets = between(f, Quantity::kFile, 40);
    for (const Hamiltonian& hamiltonian :
         {f.problem.hamiltonian(), random_hamiltonian(f.network, 5)}) {
        DecideOptions options{.seed = 3, .threads = 1, .effort = 0.2};
        const Decision one = decided(f, hamiltonian, budgets, options);
        options.threads = 3;
        const Decision other = decided(f, hamiltonian, budgets, options);
        EXPECT_EQ(one.plans, other.plans);
        EXPECT_EQ(one.flips, other.flips);
        EXPECT_EQ(one.proposals, other.proposals);
        EXPECT_GT(one.plans.size(), 3u);
    }
}

// What is bred proposes about as many moves as the walks.
TEST(Decide, BreedsFromWhatWalksFound) {
    const Fixture f(4);
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 4);
    const DecideOptions options{.seed = 4};
    const Decision decision = decided(f, hamiltonian, between(f, Quantity::kFile, 40), options);
    const int64_t walked = options.starts * moves_of_walk(options, hamiltonian.encoding.variables);
    EXPECT_GT(decision.proposals, walked * 3 / 2);
    EXPECT_LE(decision.proposals, 2 * walked);
}

TEST(Decide, TakesAnyTechnique) {
    const Fixture f(5);
    const Hamiltonian hamiltonian = random_hamiltonian(f.network, 5);
    const auto budgets = between(f, Quantity::kFile, 40);
    for (const char* technique : {"tabu", "tempering", "descent", "bifurcation"}) {
        const Decision decision =
            decided(f, hamiltonian, budgets,
                    {.technique = technique, .sweeps = 50, .replicas = 2, .effort = 0.1});
        EXPECT_GT(decision.anneals, 0) << technique;
        EXPECT_GT(decision.multiplier, 0) << technique;
    }
    EXPECT_THROW(decide(f.network, hamiltonian, budgets, f.costs, {.technique = "witchcraft"}),
                 InputError);
}

TEST(Decide, StopsWhenAsked) {
    const Fixture f(5);
    StopSource source;
    source.request();
    EXPECT_THROW(decide(f.network, f.problem.hamiltonian(), between(f, Quantity::kFile, 30),
                        f.costs, {}, source.token()),
                 Interrupted);
}

// Whatever a plan may not become, no decision makes it.
TEST(Decide, RespectsWhatTheUserWantsToStay) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const net::Graph graph = net::residual_network(seed);
        const std::string fixed = net::find_layers(graph)[1].name;
        NetworkOptions options;
        options.widths = {3, 6, 5};
        options.first_last = 7;
        options.least_kept = 0.6;
        options.stays = [&](const net::Layer& layer) { return layer.name == fixed; };
        const Fixture f(graph, 1, options);
        const Reachable range = reachable(f.network, f.costs, Quantity::kFile);
        for (int percent : {0, 30, 80}) {
            const int64_t limit = range.smallest + (range.largest - range.smallest) * percent / 100;
            const std::vector<Budget> budgets = {{Quantity::kFile, limit}};
            const Decision decision =
                decided(f, f.problem.hamiltonian(), budgets, {.seed = seed, .effort = 0.2});
            check_plan(f.network, decision.plan());
            const auto& bits = decision.plan().bits;
            EXPECT_EQ(bits.front(), 7);
            EXPECT_EQ(bits.back(), 7);
            EXPECT_EQ(bits[1], 8);
            for (size_t k = 2; k + 1 < bits.size(); ++k) {
                EXPECT_TRUE(bits[k] == 3 || bits[k] == 5 || bits[k] == 6) << bits[k];
            }
            const auto after = states(f.network, decision.plan());
            for (size_t k = 0; k < after.size(); ++k) {
                EXPECT_GE(static_cast<double>(after[k].filters),
                          0.6 * static_cast<double>(f.network.layers[k].filters));
            }
        }
    }
}

TEST(Decide, KeepsBudgetsOfAllKindsAtOnce) {
    const Fixture f(3);
    const Plan wanted = [&] {
        Random random(3);
        return f.random_plan(random);
    }();
    std::vector<Budget> budgets;
    for (Quantity quantity : kQuantities) {
        budgets.push_back({quantity, f.costs.cost(quantity, wanted)});
    }
    const Decision decision = decided(f, f.problem.hamiltonian(), budgets, {.seed = 1});
    for (const Budget& budget : budgets) {
        EXPECT_LE(f.costs.cost(budget.quantity, decision.plan()), budget.limit)
            << name_of(budget.quantity);
    }
}

}  // namespace
}  // namespace adiabat::plan
