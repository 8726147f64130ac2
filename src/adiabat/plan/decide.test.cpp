// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/decide.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "adiabat/plan/fixture.test.h"

namespace adiabat::plan {
namespace {

// The naive twin: every pair of widths and every subset of channels.
double least_loss_naively(const Fixture& f, const std::vector<Budget>& budgets) {
    double least = std::numeric_limits<double>::infinity();
    Plan plan = uniform_plan(f.network, kMinBits);
    for (plan.bits[0] = kMinBits; plan.bits[0] <= kMaxBits; ++plan.bits[0]) {
        for (plan.bits[1] = kMinBits; plan.bits[1] <= kMaxBits; ++plan.bits[1]) {
            for (unsigned word = 0; word < 31; ++word) {
                for (size_t i = 0; i < 5; ++i) plan.cut[0][i] = word >> i & 1;
                if (is_feasible(budgets, f.costs, plan))
                    least = std::min(least, f.problem.loss(plan));
            }
        }
    }
    return least;
}

TEST(Decide, FindsTheBestPlanOfSmallNetworks) {
    int optimal = 0, cases = 0;
    for (uint64_t seed = 0; seed < 6; ++seed) {
        const Fixture f(two_layers(10 * seed));
        const Reachable range = reachable(f.network, f.costs, Quantity::kBytes);
        for (int percent = 0; percent <= 100; percent += 10) {
            const int64_t limit = range.smallest + (range.largest - range.smallest) * percent / 100;
            const std::vector<Budget> budgets = {{Quantity::kBytes, limit}};
            const Decision decision =
                decide(f.problem, budgets, f.costs, {.seed = seed, .threads = 1});
            EXPECT_TRUE(is_feasible(budgets, f.costs, decision.plan));
            EXPECT_LE(decision.loss, decision.annealed_loss * (1 + 1e-12));
            EXPECT_EQ(decision.loss, f.problem.loss(decision.plan));
            const double least = least_loss_naively(f, budgets);
            EXPECT_LE(decision.loss, 1.3 * least + 1e-12)
                << "seed " << seed << ", " << percent << " %";
            optimal += decision.loss <= least * (1 + 1e-9);
            ++cases;
        }
    }
    EXPECT_GE(optimal, cases * 9 / 10) << "of " << cases;
}

TEST(Decide, KeepsEveryBudgetOnResidualNetworks) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
        const Fixture f(seed);
        const Reachable file = reachable(f.network, f.costs, Quantity::kFile);
        const Reachable bytes = reachable(f.network, f.costs, Quantity::kBytes);
        double before = std::numeric_limits<double>::infinity();
        for (int percent : {20, 40, 60, 95}) {
            const std::vector<Budget> budgets = {
                {Quantity::kFile, file.smallest + (file.largest - file.smallest) * percent / 100},
                {Quantity::kBytes,
                 bytes.smallest + (bytes.largest - bytes.smallest) * percent / 100}};
            const Decision decision = decide(f.problem, budgets, f.costs, {.seed = seed});
            EXPECT_TRUE(is_feasible(budgets, f.costs, decision.plan));
            EXPECT_LT(decision.loss, before);  // more room, less loss
            before = decision.loss;
        }
    }
}

TEST(Decide, SameSeedSamePlanForAnyNumberOfThreads) {
    const Fixture f(5);
    const int64_t limit = f.costs.cost(Quantity::kFile, uniform_plan(f.network, 4));
    const std::vector<Budget> budgets = {{Quantity::kFile, limit}};
    const Decision one = decide(f.problem, budgets, f.costs, {.seed = 3, .threads = 1});
    const Decision two = decide(f.problem, budgets, f.costs, {.seed = 3, .threads = 2});
    EXPECT_EQ(one.plan, two.plan);
    EXPECT_EQ(one.flips, two.flips);
}

TEST(Decide, StopsWhenAsked) {
    const Fixture f(5);
    StopSource source;
    source.request();
    EXPECT_THROW(
        decide(f.problem,
               {{Quantity::kFile, f.costs.cost(Quantity::kFile, uniform_plan(f.network, 3))}},
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
            const Decision decision = decide(f.problem, budgets, f.costs, {.seed = seed});
            check_plan(f.network, decision.plan);
            const auto& bits = decision.plan.bits;
            EXPECT_EQ(bits.front(), 7);
            EXPECT_EQ(bits.back(), 7);
            EXPECT_EQ(bits[1], 8);
            for (size_t k = 2; k + 1 < bits.size(); ++k) {
                EXPECT_TRUE(bits[k] == 3 || bits[k] == 5 || bits[k] == 6) << bits[k];
            }
            const auto after = states(f.network, decision.plan);
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
    const Decision decision = decide(f.problem, budgets, f.costs, {.seed = 1});
    for (const Budget& budget : budgets) {
        EXPECT_LE(f.costs.cost(budget.quantity, decision.plan), budget.limit)
            << name_of(budget.quantity);
    }
}

}  // namespace
}  // namespace adiabat::plan
