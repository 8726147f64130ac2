// SPDX-License-Identifier: Apache-2.0
#pragma once

// What budgets can be kept at all, one of them or several at once: known before any search, and
// where they cannot be, what could be instead.
//
// All quantities but the file grow with every bit, every group and every branch that stays, so that
// the least of each is the plan of the lowest bits, the fewest groups and no branch that may go.
// The file is less regular: layers of
// one width share what decodes them, and numbers of another length are written in more bytes.
// Descent finds its least, over the bits of all layers alike, the counts of all families alike and
// branches, then over each alone and, in small networks, over pairs. For several budgets at once
// the same descent goes down the largest relative excess over the limits. O((layers + families)^2)
// costs a round; a plan that is found is proof, where none is found there may be one all the same.

#include <optional>
#include <vector>

#include "adiabat/plan/budget.h"

namespace adiabat::plan {

// Smallest: the least cost that is found. Middle: nothing cut, 4 bits, or the next allowed width.
// Largest: nothing cut, 8 bits, or the largest allowed (more is never written).
struct Reachable {
    Quantity quantity = Quantity::kFile;
    int64_t smallest = 0, middle = 0, largest = 0;
    Plan smallest_plan;
};

Reachable reachable(const Network& network, const CostFunctions& costs, Quantity quantity);

// A plan that keeps all budgets, if one is found.
std::optional<Plan> keeping_plan(const Network& network, const CostFunctions& costs,
                                 const std::vector<Budget>& budgets);

// The limits nearest to those of the budgets for which a plan is found: where that is possible one
// of them is larger, by the smallest share of it, else several.
std::vector<Budget> nearest_reachable(const Network& network, const CostFunctions& costs,
                                      const std::vector<Budget>& budgets);

// Throws InputError that names the nearest reachable budget where one cannot be kept, or the
// nearest combination where each can but no plan is found that keeps them all.
void require_satisfiable(const Network& network, const CostFunctions& costs,
                         const std::vector<Budget>& budgets);

}  // namespace adiabat::plan
