// SPDX-License-Identifier: Apache-2.0
#pragma once

// Search that never leaves the budgets: annealing and descent over plans with exact losses and
// exact costs.
//
// Near an exact budget almost every step that lowers the loss breaks the budget. An annealing move
// therefore is a compound: one random step, then random steps that save until the budgets hold
// again (at most kMostSaving of them, else the move is dropped), then kRefills random steps that
// spend, each kept where it fits. It is accepted by Metropolis' rule on the loss, the temperature
// falling geometrically from a tenth of the loss at the start. The descent takes the best single
// step, or pair of steps, until none lowers the loss: O((layers + groups)^2) losses a step.

#include <cstdint>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/plan/budget.h"
#include "adiabat/plan/l1.h"

namespace adiabat::plan {

inline constexpr int kMostSaving = 12;
inline constexpr int kRefills = 4;

// The best plan met in `moves` compound moves from a feasible plan: feasible, its loss no higher. A
// function of its arguments alone. Returns early when stopped.
Plan anneal_within(const L1Problem& problem, const std::vector<Budget>& budgets,
                   const CostFunctions& costs, Plan plan, int64_t moves, uint64_t seed,
                   StopToken stop = {});

// Descent from a feasible plan: the result is feasible, its loss no higher.
Plan polish(const L1Problem& problem, const std::vector<Budget>& budgets,
            const CostFunctions& costs, Plan plan, StopToken stop = {});

}  // namespace adiabat::plan
