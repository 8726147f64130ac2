// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convex function that is a Hamiltonian's energy at every plan:
//
//   g(x) = c + b.x + x'Hx / 2,   H = J + diag(u) + M,  positive semidefinite
//
// x^2 = x: u goes to H what b loses, u / 2. Widths of one layer exclude each other and one is set,
// so that (sum of them - 1)^2, times any weight, may be added where words are one-hot (M): then
// pairs of widths of a layer cost H nothing. Between plans g is lower than energies are; the u that
// loses least there is that of a semidefinite program, min s.u with s = z (1 - z) at the point z
// where it matters, whose dual mixing.h finds nearly and positive_shift.h makes certain: what comes
// out is positive semidefinite however well the search for it went. O(n^2.5) a sweep, O(n^3).
//
// Source: A. Billionnet, S. Elloumi, "Using a mixed integer quadratic programming solver for the
// unconstrained quadratic 0-1 problem" (2007).

#include <Eigen/Core>
#include <cstdint>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

class ConvexEnergy {
  public:
    // `spread` is s, one a variable, at least 0; `seed` of the search. The Hamiltonian must outlive
    // it; at most anneal::kMostConvexVariables variables.
    ConvexEnergy(const Hamiltonian& hamiltonian, std::span<const double> spread, uint64_t seed,
                 const anneal::Watch& watch);

    int variables() const { return static_cast<int>(linear_.size()); }
    double constant() const { return constant_; }
    const Eigen::VectorXd& linear() const { return linear_; }
    const Eigen::MatrixXd& curvature() const { return curvature_; }
    // What rounding can hide in a value.
    double rounding() const { return rounding_; }

  private:
    double constant_ = 0, rounding_ = 0;
    Eigen::VectorXd linear_;
    Eigen::MatrixXd curvature_;
};

}  // namespace adiabat::plan
