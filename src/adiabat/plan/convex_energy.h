// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convex function that is a Hamiltonian's energy at every plan:
//
//   g(x) = c + b.x + x'Hx / 2,   H = J + diag(u) + M,  positive semidefinite
//
// x^2 = x: u goes to H what b loses, u / 2. Widths of one layer exclude each other and one is set,
// so that (sum of them - 1)^2, times any weight, may be added where words are one-hot (M): then
// pairs of widths of a layer cost H nothing. Between plans g is lower than energies are. Two
// searches for the u that loses least there, both duals of semidefinite programs that mixing.h
// solves nearly: the least sum of u, and the best bound of the energy with a price for each
// variable in place of the budgets. The second is better where couplings are strong, the first
// where they are weak; any mean of two is one too. What they lack positive_shift.h adds: H is
// positive semidefinite however well the search went. O(n^2.5) a sweep, O(n^3).
//
// Source: A. Billionnet, S. Elloumi, "Using a mixed integer quadratic programming solver for the
// unconstrained quadratic 0-1 problem" (2007).

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

// One entry a variable.
std::vector<double> flat_shift(const Hamiltonian& hamiltonian, uint64_t seed,
                               const anneal::Watch& watch);
std::vector<double> priced_shift(const Hamiltonian& hamiltonian, std::span<const double> prices,
                                 uint64_t seed, const anneal::Watch& watch);

class ConvexEnergy {
  public:
    // With the shift raised as far as is needed. At most anneal::kMostConvexVariables variables.
    ConvexEnergy(const Hamiltonian& hamiltonian, std::vector<double> shift);

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
