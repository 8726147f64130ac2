// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rounding as quadratic binary problems: which weights of a filter go up, all at once.
//
// Of each weight j of filter f two neighboring codes are at choice, c = b + x with x in {0, 1}: the
// one that it has and one beside it, so that the start is always among them. With the damped
// moments H' = H + damping and the pull P = w H' of the fitted weights w (recon/least_squares.h)
// the error over s^2 is
//
//   E_f(x) = sum_j (H'_jj + 2 (b H' - P / s)_j) x_j + sum_{i<j} 2 H'_ij x_i x_j + constant:
//
// filters differ in linear terms alone, and a layer is one batch (anneal/batch.h), annealed from
// the start at temperatures far below what would lose it: a share of the mean of H'_jj, the same
// for all filters, because E is in units of the scale. Then the least-squares scale, and again,
// from where it got, with the neighbors on the side where the error falls (or rises least). The
// best of all rounds under the moments, start included, is kept, so that no filter is worse than it
// was.
//
// Layers of more than `block` weights a filter are annealed block by block, the others held. O(D^2)
// for the couplings, O(F D^2) for the linear terms of a round, O(1) a proposal, O(min(D, block)) a
// flip; 12 block^2 bytes.
//
// Source: rounding as a QUBO is in M. Nagel et al., "Up or down? Adaptive rounding for
// post-training quantization" (ICML 2020), who give it up for its size; the shared matrix, the
// neighbors that move, and the start are ours.

#include "adiabat/base/stop.h"
#include "adiabat/recon/ordered_rounding.h"

namespace adiabat::apply {

struct QuboRoundingOptions {
    int rounds = 4;
    int64_t sweeps = 100;  // of a read
    int reads = 1;         // of a filter in a round
    int64_t block = 1536;  // columns annealed together
};

// `start` holds codes that are within the bits. The same for any number of threads. Throws
// Interrupted where it was stopped.
recon::RoundedFilters qubo_rounding(const recon::RoundingTask& task,
                                    const recon::RoundedFilters& start,
                                    const QuboRoundingOptions& options = {}, StopToken stop = {});

}  // namespace adiabat::apply
