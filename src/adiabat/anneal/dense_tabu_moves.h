// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tabu moves (tabu_moves.h) over a dense problem in fixed point (fixed_point.h): one vectorized
// pass an iteration (kernels/tabu_rows.h), no drift. The rows are copied, 4 n^2 bytes: for problems
// that stay in the cache.

#include <memory>

#include "adiabat/anneal/tabu_moves.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

inline constexpr int kMostForFixedTabu = 2048;

std::unique_ptr<TabuMoves> make_dense_tabu_moves(const qubo::Dense& problem);

}  // namespace adiabat::anneal
