// SPDX-License-Identifier: Apache-2.0
#pragma once

// The decision: the plans of least energy within exact budgets, of any Hamiltonian.
//
//   starts   what greed finds (energy for what is saved, search.h); the least plans there are; and,
//            in problems with all couplings of at most kMostPriced variables, plans of samplers at
//            bisected prices (priced.h)
//   anneal   inside the budgets, `starts` walks from the lowest of these (search.h)
//   breed    plans of two good ones' parts (recombine.h), taken back into the budgets and annealed
//            for a little; a memetic algorithm (P. Moscato, 1989)
//   polish   descent from the best different plans of all
//
// Where the widest plan keeps all budgets it is the start, and the walks look for what is lower: a
// network need not be best as it is. O(effort x variables) moves a walk; what is bred makes as many
// as all walks together.

#include <cstdint>
#include <string>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/plan/budget.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

inline constexpr int kMostPriced = 4000;

struct DecideOptions {
    uint64_t seed = 0;
    int threads = 0;                      // 0: all cores
    std::string technique = "annealing";  // of the priced anneals
    int64_t sweeps = 200;                 // of each, where the technique has them
    int replicas = 8;
    int starts = 8;     // walks inside the budgets
    double effort = 1;  // of each walk
    size_t keep = 16;   // different plans to return at most, at least 1
};

struct Decision {
    std::vector<Plan> plans;       // lowest first; differing in a width or a few groups
    std::vector<double> energies;  // of each, recomputed in double
    double start_energy = 0;       // of the lowest start
    double multiplier = 0;         // of the priced anneals, where the lowest was found; 0: none
    int anneals = 0;               // priced
    int64_t flips = 0;             // accepted by all anneals together
    int64_t proposals = 0;         // of the walks and of what is bred

    const Plan& plan() const { return plans.front(); }
    double energy() const { return energies.front(); }
};

// Moves of each walk.
int64_t moves_of_walk(const DecideOptions& options, int variables);

// The same seed gives the same plans for any number of threads. Throws InputError where no plan is
// found that keeps the budgets, Interrupted when stopped.
Decision decide(const Network& network, const Hamiltonian& hamiltonian,
                const std::vector<Budget>& budgets, const CostFunctions& costs,
                const DecideOptions& options, StopToken stop = {},
                ProgressSink& progress = no_progress());

}  // namespace adiabat::plan
