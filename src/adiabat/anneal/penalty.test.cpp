// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/penalty.h"

#include <gtest/gtest.h>

#include "adiabat/base/random.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {
namespace {

TEST(Penalties, AreTheSquaresThatAreSaid) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        Random random(seed, 9);
        qubo::Problem problem{qubo::random_dense(10, seed)};
        qubo::LinearBudget both{{}, -2, 3, "both"}, lower{{}, 1, {}, "lower"};
        lower.upper = std::numeric_limits<double>::infinity();
        for (int i = 0; i < 8; ++i) both.terms.push_back({i, random.normal()});
        for (int i = 2; i < 10; ++i) lower.terms.push_back({i, random.below(5) - 1.0});
        problem.constraints.budgets = {both, lower};
        problem.constraints.groups = {{{0, 1, 2}, true, "one"}, {{4, 5, 6}, false, "most"}};
        const double weight = penalty_weight(problem);
        const auto penalties = budget_penalties(problem, {});
        ASSERT_EQ(penalties.size(), 2u);
        EXPECT_GT(penalties[0].slack, 0u);
        const qubo::Problem penalized = with_penalties(problem, true, true, {});
        ASSERT_EQ(static_cast<size_t>(penalized.variables()),
                  10 + penalties[0].slack + penalties[1].slack);
        for (int k = 0; k < 20; ++k) {
            std::vector<uint8_t> x(static_cast<size_t>(penalized.variables()));
            for (auto& value : x) value = static_cast<uint8_t>(random.below(2));
            double expected = problem.energy(std::span(x).first(10));
            for (const BudgetPenalty& penalty : penalties) {
                double sum = penalty.constant;
                for (const auto& [i, c] : penalty.terms) sum += x[static_cast<size_t>(i)] * c;
                expected += penalty.weight * sum * sum;
            }
            const int one = x[0] + x[1] + x[2] - 1, most = x[4] + x[5] + x[6];
            expected += weight * one * one + weight * most * (most - 1);
            EXPECT_NEAR(penalized.energy(x), expected, 1e-9 * weight);
        }
    }
}

}  // namespace
}  // namespace adiabat::anneal
