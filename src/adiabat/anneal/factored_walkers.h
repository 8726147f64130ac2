// SPDX-License-Identifier: Apache-2.0
#pragma once

// Metropolis walks over factored problems, without ever forming a coupling: a proposal costs
// O(rank), a flip O(rank + block) (kernels/factored_rows.h).
//
// Beside the instance stands one float copy of its rows, shared by all walkers, and 9 bytes a
// variable and replica. Replicas of one thread are moved through the same 64 variables in turn, so
// that rows are read from memory once for all of them; how they are put together changes no sample.
// Fields of blocks are float and recomputed from the state every 16 n flips of a replica. Best
// states are the lowest of those that sweeps started from or ended in.

#include <memory>

#include "adiabat/anneal/walkers.h"
#include "adiabat/qubo/factored.h"

namespace adiabat::anneal {

// Keeps a reference to `problem`.
std::unique_ptr<const Model> make_factored_model(const qubo::Factored& problem,
                                                 int expected_replicas);

}  // namespace adiabat::anneal
