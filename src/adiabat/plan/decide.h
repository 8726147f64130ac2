// SPDX-License-Identifier: Apache-2.0
#pragma once

// The decision: the plan of least loss within exact budgets.
//
// The budget enters the quadratic problem as its reward: gamma is bisected until annealed plans
// just keep the exact budgets, the cubic terms linearized anew at the best plan so far. Every
// sample is judged by its exact loss and exact cost. The best ones are then polished by descent
// that never leaves the feasible set: one layer's bits, one channel of a group, or two such steps
// at once (one that pays and one that spends). Within a group the smallest filters go first, which
// is optimal for `l1` at any count. Cost: about 20 anneals, then O((layers + groups)^2) exact costs
// a step of the descent.

#include <cstdint>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/plan/budget.h"
#include "adiabat/plan/l1.h"

namespace adiabat::plan {

struct DecideOptions {
    uint64_t seed = 0;
    int threads = 0;       // 0: all cores
    int64_t sweeps = 200;  // of each anneal
    int replicas = 8;
    int polish = 4;  // how many different feasible plans are polished
};

struct Decision {
    Plan plan;
    double loss = 0;  // L_p + beta L_q, exact
    double gamma = 0;
    double annealed_loss = 0;  // of the best feasible sample, before polishing
    int anneals = 0;
    int64_t flips = 0;  // accepted by all anneals together
};

// The budgets are satisfiable (require_satisfiable). The same seed gives the same plan for any
// number of threads. Throws Interrupted when stopped.
Decision decide(const L1Problem& problem, const std::vector<Budget>& budgets,
                const CostFunctions& costs, const DecideOptions& options, StopToken stop = {},
                ProgressSink& progress = no_progress());

// Descent within the budgets from a feasible plan; the result is feasible and its loss no higher.
Plan polish(const L1Problem& problem, const std::vector<Budget>& budgets,
            const CostFunctions& costs, Plan plan, StopToken stop = {});

}  // namespace adiabat::plan
