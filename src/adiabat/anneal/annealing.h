// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulated annealing: Metropolis walks by single flips while the temperature falls.
//
// Reads are independent walks of `sweeps` sweeps; see walkers.h for how they move and what a
// proposal costs, schedule.h for the temperatures. Constraints are kept by the moves
// (constrained_walkers.h).
//
// Source: S. Kirkpatrick, C. Gelatt, M. Vecchi, "Optimization by simulated annealing" (1983).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kAnnealing;

// Bytes of a model and its walkers for this task, without making them.
uint64_t walker_memory_bytes(const Task& task);

}  // namespace adiabat::anneal
