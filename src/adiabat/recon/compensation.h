// SPDX-License-Identifier: Apache-2.0
#pragma once

// What it costs a layer to lose some of its inputs, the others standing in for them.
//
// S are the columns that go, W the weights, H the damped second moments of the inputs, centred
// (moments.h). Of what the columns S carry the rest can reproduce all but
//
//   e = K x,  K = ((H^-1)_SS)^-1 (H^-1)_S,   so that W - W_S K are the least-squares weights
//
// without them, and the layer's output changes by -W_S e. Its squared error, output o weighed by
// s_o, is
//
//   E(S) = sum_o s_o w_oS ((H^-1)_SS)^-1 w_oS' = tr(((H^-1)_SS)^-1 Q_SS),  Q = W' diag(s) W.
//
// One inverse serves all sets: O(D^3), then O(|S|^3 + |S|^2 D) a set.
//
// Around a layer that has lost columns L already, the others fitted to the targets C, the same
// holds of any set that changes sides, be it lost or found again: with B the principal pivot
// transform
//
//   B_KK = (H_KK)^-1,  B_LK = -H_LK (H_KK)^-1,  B_LL = -(H_LL - H_LK (H_KK)^-1 H_KL)
//
// of the kept K, in the place of H^-1, and V = [W_K, C_L - W_K H_KL] in that of W: E(S) is what the
// error grows by, below 0 where something found again makes it smaller.
//
// Source: the optimal brain surgeon for sets of weights, B. Hassibi and D. Stork, "Second order
// derivatives for network pruning" (NeurIPS 1992); E. Frantar and D. Alistarh, "Optimal brain
// compression" (NeurIPS 2022). A. Tucker, "Principal pivotal transforms of square matrices" (1960).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/recon/moments.h"

namespace adiabat::recon {

class Compensation {
  public:
    // The second moments are damped as for reconstruction (least_squares.h). Inputs that never
    // change cost next to nothing.
    explicit Compensation(const Moments& moments);
    // Around a layer that has lost columns, `weights` [F, D] being what the damping pulls to.
    Compensation(const Moments& moments, const Matrix& weights, std::span<const int> lost);

    Eigen::Index inputs() const { return pivoted_.rows(); }
    // V, [F, D]; empty where nothing is said of lost columns: then it is W.
    const Matrix& coefficients() const { return coefficients_; }

    // K, [|S|, D], of columns that are all kept or all lost: their change of sides changes the
    // weights by -V_S K. Kept ones: the columns S of it are the identity.
    Matrix residual_rows(std::span<const int> set) const;
    // E(S), with Q [D, D], of V where there is one.
    double error(std::span<const int> set, const Matrix& q) const;

  private:
    Matrix block(std::span<const int> set) const;  // B_SS

    Matrix pivoted_;  // B; H^-1 where nothing is lost
    Matrix coefficients_;
    std::vector<uint8_t> is_lost_;
};

// W' diag(weights) W of W [F, D].
Matrix weighted_square(const Matrix& weights, const Vector& outputs);

}  // namespace adiabat::recon
