// SPDX-License-Identifier: Apache-2.0
#pragma once

// The decision: the plan of least loss within exact budgets.
//
// The budget enters the quadratic problem as its reward: gamma is bisected until annealed plans
// just keep the exact budgets, the cubic terms linearized anew at the lowest sample of the anneal
// before. Every sample is judged by its exact loss and exact cost. The best ones are annealed on
// and polished inside the feasible set (feasible.h), where the exact budget is a wall, not a price.
// Cost: about 20 anneals of the quadratic problem, then `moves` exact costs a start.

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
    int starts = 4;         // how many different feasible plans are annealed on and polished
    int64_t moves = 30000;  // of each
};

struct Decision {
    Plan plan;
    double loss = 0;  // L_p + beta L_q, exact
    double gamma = 0;
    double annealed_loss = 0;  // of the best feasible plan before it was refined
    int anneals = 0;
    int64_t flips = 0;  // accepted by all anneals together
};

// The budgets are satisfiable (require_satisfiable). The same seed gives the same plan for any
// number of threads. Throws Interrupted when stopped.
Decision decide(const L1Problem& problem, const std::vector<Budget>& budgets,
                const CostFunctions& costs, const DecideOptions& options, StopToken stop = {},
                ProgressSink& progress = no_progress());

}  // namespace adiabat::plan
