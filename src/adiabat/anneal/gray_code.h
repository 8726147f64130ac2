// SPDX-License-Identifier: Apache-2.0
#pragma once

// Exhaustive minimization by Gray code.
//
// Neighboring words of the reflected Gray code differ in one bit, so the energy of the next
// assignment costs one local field: dE = (1 - 2 x_i) f_i, with f_i = h_i + sum_j J_ij x_j. Keeping
// all fields current costs O(n) a step, O(n 2^n) in all, and no memory beyond the fields. It is the
// oracle that every heuristic here is tested against, and the solver of choice up to kMaxVariables.
//
// Source: F. Gray, US patent 2632058 (1953); step rule "flip the lowest set bit of k" from
// D. Knuth, TAOCP 4A, 7.2.1.1.

#include <cstdint>

#include "adiabat/anneal/solution.h"
#include "adiabat/base/stop.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

// 2^34 steps take about three minutes; beyond that a heuristic is the better tool.
inline constexpr int kMaxVariables = 34;

struct GrayCodeOptions {
    int keep = 1;  // how many of the lowest assignments to return, 1 to 1,000,000
};

// The `keep` lowest assignments of `problem`, lowest first, ties in the order visited.
//
// Energies are recomputed in double from the assignments before they are returned.
// Throws InputError if the problem has more than kMaxVariables variables, or `keep` is out of
// range. On a stop request returns what has been visited so far with `complete` false.
Solutions minimize_exhaustively(const qubo::Dense& problem, const GrayCodeOptions& options,
                                StopToken stop = {});

}  // namespace adiabat::anneal
