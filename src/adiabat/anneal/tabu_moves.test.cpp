// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/tabu_moves.h"

#include <gtest/gtest.h>

#include <limits>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/random.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

// The rule as it reads: the lowest dE among free variables, or among all where it aspires.
double lowest_allowed(const LocalFields& state, const std::vector<int64_t>& until,
                      int64_t iteration, double aspiration) {
    double lowest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < state.variables(); ++i) {
        const bool free = until[static_cast<size_t>(i)] <= iteration;
        if (free || state.change(i) < aspiration) lowest = std::min(lowest, state.change(i));
    }
    return lowest;
}

void follow(const qubo::Problem& problem, uint64_t seed) {
    const int n = problem.variables();
    Random random(seed);
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (auto& value : x) value = static_cast<uint8_t>(random() >> 31);
    const auto moves = make_tabu_moves(problem);
    moves->set(x);
    LocalFields state(problem, x);
    std::vector<int64_t> until(x.size(), 0);
    double best = state.energy();
    for (int64_t iteration = 1; iteration < 400; ++iteration) {
        // Beyond what fixed point rounds: else going back to the best state might aspire.
        const double aspiration = best - 1e-5 - state.energy();
        const int i = moves->choose(iteration, aspiration, random());
        ASSERT_GE(i, 0);
        ASSERT_NEAR(state.change(i), lowest_allowed(state, until, iteration, aspiration), 1e-6);
        ASSERT_TRUE(until[static_cast<size_t>(i)] <= iteration ||
                    state.change(i) < aspiration + 1e-6);
        ASSERT_NEAR(moves->change(i), state.change(i), 1e-6);
        until[static_cast<size_t>(i)] =
            iteration + 1 + random.below(static_cast<uint32_t>(std::max(1, n / 2)));
        moves->flip(i, until[static_cast<size_t>(i)], random());
        state.flip(i);
        const int j = static_cast<int>(random.below(static_cast<uint32_t>(n)));
        ASSERT_NEAR(moves->change(j), state.change(j), 1e-6);
        ASSERT_NEAR(moves->energy(), state.energy(), 1e-6);
        best = std::min(best, state.energy());
    }
    EXPECT_TRUE(std::ranges::equal(moves->x(), state.x()));
}

TEST(TabuMoves, ChooseWhatTheRuleSays) {
    for (const int n : {1, 2, 5, 15, 16, 17, 33, 70}) {
        for (const auto& dense : {qubo::random_integer(n, 4), qubo::random_dense(n, 4)}) {
            follow({dense}, 7);
            follow({qubo::sparse_of({dense})}, 7);
        }
        qubo::Factored factored(n);
        Random random(9);
        std::vector<double> columns(static_cast<size_t>(2 * n));
        for (double& value : columns) value = random.uniform() - 0.5;
        factored.add_squares(columns, std::vector{0.3, -0.2}, std::vector{1.0, -0.7});
        for (int i = 0; i < n; ++i) factored.add_linear(i, random.uniform() - 0.5);
        follow({factored}, 7);
    }
}

TEST(TabuMoves, SayWhereNothingIsAllowed) {
    for (const qubo::Problem& problem :
         {qubo::Problem{qubo::random_dense(1, 1)}, qubo::Problem{qubo::Sparse(1, {}, {1.0})}}) {
        const auto moves = make_tabu_moves(problem);
        moves->set(std::vector<uint8_t>{0});
        const double never = -std::numeric_limits<double>::infinity();
        EXPECT_EQ(moves->choose(1, never, 0), 0);
        moves->flip(0, 3, 0);
        EXPECT_EQ(moves->choose(2, never, 0), -1);
        EXPECT_EQ(moves->choose(3, never, 0), 0);
    }
}

}  // namespace
}  // namespace adiabat::anneal
