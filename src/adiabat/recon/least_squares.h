// SPDX-License-Identifier: Apache-2.0
#pragma once

// Weights that make a layer give what it gave before, though what it reads has changed: inputs were
// cut, layers before it were rounded.
//
//   W' = argmin sum_f |error of row f| + damping |W' - W|^2,  W' = (C + damping W)(H + damping)^-1
//
// by Cholesky factorization. The damping, a share of the mean of H's diagonal, grows where there
// are few rows for the D unknowns of a filter, so that weights stay near W in directions of which
// the images say little; H need not have full rank. O(D^3 + F D^2).
//
// Source: ridge regression (A. Hoerl and R. Kennard, 1970) towards the given weights; least-squares
// reconstruction of cut channels as in Y. He et al., "Channel pruning for accelerating very deep
// neural networks" (ICCV 2017).

#include <span>
#include <vector>

#include "adiabat/recon/moments.h"

namespace adiabat::recon {

// Rows for each of the D unknowns of a filter from which on the damping no longer falls.
inline constexpr int64_t kRowsAnUnknown = 32;

// What is added to H's diagonal; > 0 unless H is zero.
double damping_of(const Moments& moments);

// Cholesky factors of H + damping; where rounding has left H a direction below -damping, of more.
Eigen::LLT<Matrix> damped_factor(Matrix h, double damping);

// `weights` is W, [F, D].
Matrix reconstructed(const Moments& moments, const Matrix& weights);

// Of targets that come as [t, d], [2 F, D]: the filters whose d can be foretold from the inputs. It
// can be where the least squares of d on either half of the rows lower its error on the other half.
// `whole` holds both halves.
std::vector<uint8_t> foretold(const Halves& halves, const Moments& whole);
// t + d for those filters, t for the others: the result has F targets.
Moments with_additions(const Moments& moments, std::span<const uint8_t> foretold);

}  // namespace adiabat::recon
