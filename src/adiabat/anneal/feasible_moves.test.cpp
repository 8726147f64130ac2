// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/feasible_moves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "adiabat/anneal/brute_force.test.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/solve.h"

namespace adiabat::anneal {
namespace {

qubo::Problem constrained(testing::Form form, int n, uint64_t seed) {
    qubo::Problem problem = testing::random_problem(form, n, seed);
    problem.constraints = testing::random_constraints(n, seed);
    return problem;
}

std::vector<uint8_t> some_state(const qubo::Problem& problem, uint64_t seed) {
    const std::vector<uint8_t> ones(static_cast<size_t>(problem.variables()), 1);
    return repaired(problem, ones, seed).value();
}

// The lowest change by a flip, and by a flip or a pair, that keeps the constraints: by trying each.
std::pair<double, double> naive_best(const qubo::Problem& problem, std::vector<uint8_t> x) {
    const double energy = problem.energy(x);
    double flip = std::numeric_limits<double>::infinity(), any = flip;
    for (size_t i = 0; i < x.size(); ++i) {
        for (size_t j = 0; j <= i; ++j) {
            x[i] ^= 1;
            if (j < i) x[j] ^= 1;
            const double change = problem.energy(x) - energy;
            if (problem.constraints.keeps(x)) {
                any = std::min(any, change);
                if (i == j) flip = std::min(flip, change);
            }
            x[i] ^= 1;
            if (j < i) x[j] ^= 1;
        }
    }
    return {flip, any};
}

TEST(FeasibleMoves, AreTheBestOfThoseThatKeepTheConstraints) {
    for (const testing::Form form : testing::kForms) {
        for (uint64_t seed = 0; seed < 20; ++seed) {
            const qubo::Problem problem = constrained(form, 14, seed);
            FeasibleMoves moves(problem, some_state(problem, seed));
            Random random(seed);
            for (int k = 0; k < 20; ++k) {
                moves.shake(3, random);
                std::vector<uint8_t> x(moves.x().begin(), moves.x().end());
                ASSERT_EQ(problem.constraints.broken(x), std::nullopt);
                const auto [flip, any] = naive_best(problem, x);
                EXPECT_NEAR(moves.best_of_all_pairs(Watch()).change, any, 1e-9);
                const double wide = moves.best(14, 0, 0, random()).change;
                EXPECT_LE(wide, flip + 1e-9);
                EXPECT_GE(wide, any - 1e-9);
                const FeasibleMove narrow = moves.best(2, 0, 0, random());
                EXPECT_GE(narrow.change, wide - 1e-9);
                moves.make(narrow, 0);
                x.assign(moves.x().begin(), moves.x().end());
                EXPECT_EQ(problem.constraints.broken(x), std::nullopt);
                EXPECT_NEAR(moves.energy(), problem.energy(x), 1e-9);
            }
        }
    }
}

// Where a budget is an equality and variables are alike, no flip is allowed and the best swap is
// the best of all pairs.
TEST(FeasibleMoves, SwapWhereABudgetBinds) {
    qubo::Problem problem = testing::random_problem(testing::Form::kDense, 12, 4);
    qubo::LinearBudget budget;
    for (int i = 0; i < 12; ++i) budget.terms.push_back({i, 1});
    budget.lower = budget.upper = 5;
    problem.constraints.budgets = {budget};
    FeasibleMoves moves(problem, some_state(problem, 1));
    Random random(1);
    for (int k = 0; k < 50; ++k) {
        moves.shake(2, random);
        const FeasibleMove move = moves.best(12, 0, 0, 0);
        EXPECT_GE(move.second, 0);
        EXPECT_NEAR(move.change, naive_best(problem, {moves.x().begin(), moves.x().end()}).second,
                    1e-9);
    }
}

TEST(FeasibleMoves, LeaveWhatIsTabuUnlessItAspiresOrNothingElseIsLeft) {
    qubo::Dense dense(3);
    for (int i = 0; i < 3; ++i) dense.add_linear(i, i - 3.0);
    qubo::Problem problem{dense};
    problem.constraints.groups = {{{0, 1, 2}, false}};
    FeasibleMoves moves(problem, std::vector<uint8_t>{0, 0, 0});
    const FeasibleMove first = moves.best(3, 1, -100, 0);
    EXPECT_EQ(first.first, 0);
    moves.make(first, 5);
    // Every move flips variable 0; the lowest is the step to 1.
    const FeasibleMove second = moves.best(3, 2, -100, 0);
    EXPECT_EQ(std::max(second.first, second.second), 1);
    moves.make({0, -1, 0}, 5);
    EXPECT_EQ(moves.best(3, 2, -100, 0).first, 1);
    EXPECT_EQ(moves.best(3, 2, -2.5, 0).first, 0);
    EXPECT_EQ(moves.best(3, 5, -100, 0).first, 0);
}

// Tabu and descent inside constraints of every kind: feasible throughout, the optimum, the same for
// any number of threads.
TEST(FeasibleMoves, FindTheOptimaOfSmallProblems) {
    for (const std::string technique : {"tabu", "descent"}) {
        for (int k = 0; k < 60; ++k) {
            qubo::Problem problem =
                constrained(testing::kForms[k % 3], 6 + k % 9, static_cast<uint64_t>(k));
            problem.constraints.fixed = {{3, static_cast<uint8_t>(k % 2)}};
            SolveOptions options;
            options.technique = technique;
            options.reads = technique == "tabu" ? 4 : 100;
            options.threads = 1;
            options.polish = false;
            const SolveResult one = solve(problem, options);
            for (const auto* const some : {&one.best, &one.last}) {
                for (const Solution& solution : *some)
                    EXPECT_EQ(problem.constraints.broken(solution.x), std::nullopt);
            }
            EXPECT_NEAR(one.lowest.front().energy, brute_force(problem), 1e-9)
                << technique << " " << k;
            options.threads = 3;
            const SolveResult three = solve(problem, options);
            for (size_t r = 0; r < one.last.size(); ++r) EXPECT_EQ(three.last[r].x, one.last[r].x);
        }
    }
}

// Nothing can move: the read ends at once where it began.
TEST(FeasibleMoves, EndWhereTheConstraintsAllowNone) {
    qubo::Problem problem{qubo::Dense(3)};
    problem.constraints.budgets = {{{{0, 1.0}, {1, 2.0}, {2, 4.0}}, 5, 5, ""}};
    for (const char* const technique : {"tabu", "descent"}) {
        SolveOptions options;
        options.technique = technique;
        options.initial = {{1, 0, 1}};
        const SolveResult result = solve(problem, options);
        EXPECT_EQ(result.flips, 0);
        EXPECT_EQ(result.lowest.front().x, (std::vector<uint8_t>{1, 0, 1}));
    }
}

}  // namespace
}  // namespace adiabat::anneal
