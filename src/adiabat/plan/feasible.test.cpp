// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/feasible.h"

#include <gtest/gtest.h>

#include "adiabat/plan/fixture.test.h"
#include "adiabat/plan/steps.h"

namespace adiabat::plan {
namespace {

TEST(Feasible, NeitherSearchLeavesTheBudgetOrLosesGround) {
    int better = 0;
    for (uint64_t seed = 0; seed < 6; ++seed) {
        const Fixture f(seed);
        // Wide beside narrow: there is much to gain by evening out.
        Plan start = uniform_plan(f.network, 2);
        for (size_t k = 0; k < start.bits.size(); k += 2) start.bits[k] = 6;
        const std::vector<Budget> budgets = {
            {Quantity::kBytes, f.costs.cost(Quantity::kBytes, start) + 3}};
        const Plan annealed = anneal_within(f.problem, budgets, f.costs, start, 3000, seed);
        const Plan polished = polish(f.problem, budgets, f.costs, start);
        for (const Plan& plan : {annealed, polished}) {
            check_plan(f.network, plan);
            EXPECT_TRUE(is_feasible(budgets, f.costs, plan));
            EXPECT_LE(f.problem.loss(plan), f.problem.loss(start));
        }
        better += f.problem.loss(annealed) < f.problem.loss(start);
        EXPECT_EQ(anneal_within(f.problem, budgets, f.costs, start, 3000, seed), annealed);
    }
    EXPECT_EQ(better, 6);
}

// The naive twin of the descent's end: no single step and no pair lowers the loss within the
// budget.
TEST(Feasible, PolishedPlansHaveNoBetterNeighbor) {
    const Fixture f(3);
    const std::vector<Budget> budgets = {
        {Quantity::kBytes, f.costs.cost(Quantity::kBytes, uniform_plan(f.network, 4))}};
    Plan plan = polish(f.problem, budgets, f.costs, uniform_plan(f.network, 2));
    const double loss = f.problem.loss(plan);
    for (const Step& a : all_steps(plan)) {
        for (const Step& b : all_steps(plan)) {
            Plan other = plan;
            if (!take(f.problem, other, a) || !take(f.problem, other, b)) continue;
            EXPECT_FALSE(is_feasible(budgets, f.costs, other) &&
                         f.problem.loss(other) < loss * (1 - 1e-9));
        }
    }
}

TEST(Steps, AreUndoneByTheirReverse) {
    const Fixture f(4);
    Random random(1);
    Plan plan = uniform_plan(f.network, 5);
    cut_smallest(f.problem, plan);
    const std::vector<Step> steps = all_steps(plan);
    for (int trial = 0; trial < 2000; ++trial) {
        const Step step = steps[random.below(static_cast<uint32_t>(steps.size()))];
        const Plan before = plan;
        if (!take(f.problem, plan, step)) {
            EXPECT_EQ(plan, before);
            continue;
        }
        check_plan(f.network, plan);
        Plan back = plan;
        ASSERT_TRUE(take(f.problem, back, step.reversed()));
        EXPECT_EQ(back, before);
    }
}

}  // namespace
}  // namespace adiabat::plan
