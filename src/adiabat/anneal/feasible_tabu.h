// SPDX-License-Identifier: Apache-2.0
#pragma once

// A read of tabu search that never leaves the constraints: always the best move that keeps them
// (feasible_moves.h), uphill where none leads down; the variables it flipped stay for their tenure.
// After a stall it goes on from an elite state with random moves, as among all assignments
// (tabu.h). O(width n) an iteration with a budget, O(n) with groups alone.

#include <cstdint>

#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/tabu_run.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

// The read of this number, from start_of(task, read), which keeps the constraints.
Tally feasible_tabu(const Task& task, const TabuPlan& plan, Random& random, int number, Read& read);

}  // namespace adiabat::anneal
