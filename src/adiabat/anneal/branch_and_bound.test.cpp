// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/branch_and_bound.h"

#include <gtest/gtest.h>

#include "adiabat/anneal/branch_rows.h"
#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/exhaustive.h"
#include "adiabat/anneal/random_problem.test.h"
#include "adiabat/anneal/run_task.test.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/processor_time.h"

namespace adiabat::anneal {
namespace {

// One start, so that the tree and not the tabu search finds the optimum.
const std::vector<std::pair<std::string, double>> kOneStart = {{"starts", 1}};

TEST(BranchAndBound, FindsTheOptimumOfProblemsOfAllForms) {
    for (uint64_t seed = 0; seed < 1000; ++seed) {
        const int n = 1 + static_cast<int>(seed % (seed % 50 == 0 ? 20 : 14));
        const auto [problem, start] = random_problem(n, seed, seed % 2 == 1);
        const auto outcome =
            run_task(kBranchAndBound, problem, {.initial = {start}, .options = kOneStart});
        ASSERT_EQ(outcome.reads.size(), 1u);
        const auto& best = outcome.reads[0].best;
        EXPECT_TRUE(problem.constraints.keeps(best)) << "seed " << seed;
        EXPECT_NEAR(problem.energy(best), brute_force(problem), 1e-9) << "seed " << seed;
        EXPECT_EQ(outcome.bound, problem.energy(best)) << "seed " << seed;
    }
}

TEST(BranchAndBound, AgreesWithExhaustiveSearchOnLargerProblems) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const auto [problem, start] = random_problem(24, seed, seed % 4 == 1);
        const TaskSettings settings{.initial = {start}, .options = kOneStart};
        const auto outcome = run_task(kBranchAndBound, problem, settings);
        const auto exact = run_task(kExhaustive, problem, {.initial = {start}});
        EXPECT_NEAR(outcome.bound.value(), exact.bound.value(), 1e-9) << "seed " << seed;
        EXPECT_LT(outcome.proposals, 1 << 15);
    }
}

TEST(BranchAndBound, ProvesWithoutAFeasibleStart) {
    for (uint64_t seed = 1; seed < 40; seed += 2) {
        const auto [problem, start] = random_problem(12, seed, true);
        const auto outcome = run_task(kBranchAndBound, problem,
                                      {.initial = {std::vector<uint8_t>(12, seed % 4 == 1)}});
        EXPECT_NEAR(problem.energy(outcome.reads[0].best), brute_force(problem), 1e-9);
    }
}

TEST(BranchAndBound, GivesABoundWhenItsNodesOrTimeRunOut) {
    const qubo::Problem small{qubo::random_dense(20, 7)};
    const double optimum = brute_force(small);
    for (const double nodes : {1.0, 3.0, 10.0, 30.0, 100.0}) {
        const auto outcome =
            run_task(kBranchAndBound, small, {.options = {{"starts", 1}, {"nodes", nodes}}});
        EXPECT_LE(outcome.bound.value(), optimum + 1e-12) << nodes << " nodes";
        EXPECT_GT(outcome.bound.value(), optimum - 1);
        EXPECT_GE(small.energy(outcome.reads[0].best), optimum - 1e-12);
    }
    const qubo::Problem large{qubo::random_dense(150, 7)};
    for (const double limit : {0.0, 0.02, 0.3}) {
        const double before = processor_seconds();  // the machine may do other work
        const auto outcome = run_task(kBranchAndBound, large, {.time_limit = limit});
        EXPECT_LT(processor_seconds() - before, limit + 0.4);
        EXPECT_LE(outcome.bound.value(), large.energy(outcome.reads[0].best));
    }
}

TEST(BranchAndBound, StopsWithinTheGapAllowed) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const qubo::Problem problem{qubo::random_dense(16, seed)};
        const double optimum = brute_force(problem);
        const auto outcome =
            run_task(kBranchAndBound, problem, {.options = {{"starts", 1}, {"gap", 0.3}}});
        EXPECT_LE(outcome.bound.value(), optimum + 1e-12);
        EXPECT_LE(problem.energy(outcome.reads[0].best), optimum + 0.3 + 1e-9);
    }
}

// Symmetric, whole energies: 40 spins on a ring with chords.
TEST(BranchAndBound, ProvesMaximumCuts) {
    std::vector<qubo::Edge> edges;
    std::vector<double> linear(40);
    for (int i = 0; i < 40; ++i) {
        for (const int j : {(i + 1) % 40, (i + 7) % 40}) {
            edges.push_back({i, j, 2.0});
            linear[static_cast<size_t>(i)] -= 1;
            linear[static_cast<size_t>(j)] -= 1;
        }
    }
    const qubo::Problem problem{qubo::Sparse(40, edges, linear)};
    const auto outcome = run_task(kBranchAndBound, problem);
    EXPECT_EQ(outcome.bound, -80);  // the graph is bipartite: every edge is cut
    EXPECT_EQ(problem.energy(outcome.reads[0].best), -80);
}

TEST(BranchAndBound, RefusesWhatIsTooLarge) {
    const qubo::Problem problem{qubo::Sparse(kMaxBranchVariables + 1, {})};
    EXPECT_THROW(run_task(kBranchAndBound, problem), InputError);
}

// Whatever propagation settles, every assignment that keeps the rows has; undoing leaves no trace.
TEST(BranchRows, SettleWhatEveryAssignmentLeftHas) {
    Random random(4);
    for (uint64_t seed = 1; seed < 400; seed += 2) {
        const auto [problem, start] = random_problem(10, seed, true);
        BranchRows rows(interval_rows(problem.constraints), 10);
        EXPECT_TRUE(rows.propagate());
        const size_t mark = rows.mark();
        for (int trial = 0; trial < 10; ++trial) {
            for (int k = 0; k < 4; ++k) {
                const size_t p = random.below(10);
                if (rows.value(p) < 0) rows.settle(p, static_cast<int>(random.below(2)));
            }
            std::vector<int> settled;
            for (size_t p = 0; p < 10; ++p) settled.push_back(rows.value(p));
            const bool possible = rows.propagate();
            for_each_state(problem, [&](const std::vector<uint8_t>& x, double) {
                for (size_t p = 0; p < 10; ++p) {
                    if (settled[p] >= 0 && settled[p] != x[p]) return;
                }
                EXPECT_TRUE(possible);
                for (size_t p = 0; p < 10; ++p)
                    EXPECT_TRUE(rows.value(p) < 0 || rows.value(p) == x[p]);
            });
            rows.undo(mark);
        }
        EXPECT_EQ(rows.mark(), mark);
    }
}

}  // namespace
}  // namespace adiabat::anneal
