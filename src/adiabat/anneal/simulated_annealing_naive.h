// SPDX-License-Identifier: Apache-2.0
#pragma once

// The naive twin of simulated annealing: the same rule and the same random numbers, every energy
// from scratch. O(n^2) a proposal instead of O(1); what the fast one is tested against.

#include "adiabat/anneal/simulated_annealing.h"

namespace adiabat::anneal {

// The result of minimize_by_annealing, states and counts alike, computed in one thread. Takes no
// time limit into account.
Annealed minimize_by_annealing_naively(const qubo::Dense& problem, const AnnealingOptions& options);

}  // namespace adiabat::anneal
