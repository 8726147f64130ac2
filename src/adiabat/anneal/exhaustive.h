// SPDX-License-Identifier: Apache-2.0
#pragma once

// Exhaustive search by Gray code: the optimum of any problem of at most 34 variables, proven.
//
// Neighboring words of the reflected Gray code differ in one bit, so that the energy of the next
// assignment costs one local field, dE = (1 - 2 x_i) f_i. The lowest eight variables, which a Gray
// code flips 255 times in 256, are not stepped through but taken at once (block_table.h); the next
// ten follow a Gray code, fields kept current; the others number independent chunks of 2^18
// assignments, whose fields are computed anew: rounding does not add up, threads share chunks, and
// a chunk's result does not depend on who computes it. Half a nanosecond an assignment and thread:
// 2^30 in half a second, 2^34 in eight. Sums of constraints are kept like fields; assignments that
// break one do not count.
//
// Source: F. Gray, US patent 2632058 (1953); step rule "flip the lowest set bit of k" from
// D. Knuth, TAOCP 4A, 7.2.1.1.

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

inline constexpr int kMaxExhaustiveVariables = 34;

// All reads are the one answer: the lowest assignment that keeps the constraints, the first in
// visiting order (of top bits, Gray code, low bits) where several share the lowest energy. `bound`
// is its energy where the search was complete.
extern const Technique kExhaustive;

}  // namespace adiabat::anneal
