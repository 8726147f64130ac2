// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constraints as squared penalties, for techniques that do not keep them by their moves.
//
//   one-hot group    P (sum x - 1)^2
//   exclusive group  P ((sum x - 1/2)^2 - 1/4): 0 for none and one
//   budget           P_b (a.x + sum_k c_k s_k - upper)^2, s_k binary slack variables at the end of
//                    the problem, c_k = unit 1, 2, 4, .. and a last one so that the slack reaches
//                    from 0 to upper - max(lower, least a.x) exactly (bounded coefficients)
//
// P is above what any flip can gain, P_b the same per largest coefficient squared. The unit of the
// slack is 1 where all coefficients and both sides are whole numbers and 12 bits reach; else the
// range in 8 bits: then states near the budget's edge pay a little, and results are repaired
// anyway.

#include <cstdint>
#include <optional>
#include <vector>

#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

// The problem with the chosen kinds of constraints as penalties and the others left; slack
// variables stand behind the problem's own. `weight`: P, the default from the problem's scales. A
// budget fills the couplings of all its variables: sparse problems with budgets become dense
// (InputError where that is too large), factored ones get one square more.
qubo::Problem with_penalties(const qubo::Problem& problem, bool budgets, bool groups,
                             std::optional<double> weight);

// What a budget becomes: weight (sum c_i x_i + constant)^2.
struct BudgetPenalty {
    std::vector<qubo::Term> terms;  // the budget's, then those of its slack variables
    size_t slack = 0;               // how many of the last are slack
    double constant = 0;
    double weight = 0;
};
// Of every budget with a side, in order, as with_penalties() adds them: their slack variables are
// problem.variables() and those that follow.
std::vector<BudgetPenalty> budget_penalties(const qubo::Problem& problem,
                                            std::optional<double> weight);

// P where none is given.
double penalty_weight(const qubo::Problem& problem);

// The largest change of energy that one flip can make, O(size of the problem); an upper bound where
// factored.
double largest_change(const qubo::Problem& problem);

}  // namespace adiabat::anneal
