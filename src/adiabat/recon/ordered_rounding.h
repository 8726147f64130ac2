// SPDX-License-Identifier: Apache-2.0
#pragma once

// Rounding of a layer's filters to b bits that minimizes the error of what the layer gives, not
// that of its weights.
//
// Columns are rounded one after another, those with the largest second moment first; what rounding
// does to the output is made good, as far as it can be, by the columns that are still free:
//
//   w_j -= (w_k - s c_k) / U_kk U_kj for j behind k,  U'U = (H + damping)^-1, U upper triangular
//
// for several scales s around the one of least error in the weights; each filter takes the codes
// of least error under the moments, the scale of which is then the least-squares one. Plain
// rounding of `given` is a candidate too, so that the result is never worse. O(D^3 + scales F D^2).
//
// Source: E. Frantar et al., "GPTQ" (ICLR 2023), itself the optimal brain surgeon of B. Hassibi and
// D. Stork (1993); the choice of scales and the moments' linear term are ours.

#include <span>
#include <vector>

#include "adiabat/recon/best_codes.h"
#include "adiabat/recon/moments.h"

namespace adiabat::recon {

// The order of the columns and U for it: all that rounding needs of the moments but for the choice
// of scales. Shared by tasks on the same moments. O(D^3).
struct RoundingOrder {
    explicit RoundingOrder(const Moments& moments);

    std::vector<Eigen::Index> columns;
    Matrix upper;
};

// `weights` [F, D] are rounded to `bits`; `given` [F, D] is the layer as it was; scale f is at
// least least_scales[f].
struct RoundingTask {
    const Moments& moments;
    const Matrix& weights;
    const Matrix& given;
    int bits = 8;
    std::span<const float> least_scales;
    int threads = 1;
    const RoundingOrder* order = nullptr;  // of `moments`; made where it is not given
};
RoundedFilters ordered_rounding(const RoundingTask& task);

// Filter by filter, each with the scale of least error in its weights (rounding.h), at least
// least_scales[f] where these are given.
RoundedFilters plain_rounding(const Matrix& weights, int bits,
                              std::span<const float> least_scales = {});

// The codes [F, D] that rounding in order gives for one scale a filter. O(D^3 + F D^2).
Matrix ordered_codes(const RoundingTask& task, const Vector& scales);

}  // namespace adiabat::recon
