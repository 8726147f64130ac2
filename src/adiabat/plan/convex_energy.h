// SPDX-License-Identifier: Apache-2.0
#pragma once

// A convex function that is at no plan above a Hamiltonian's energy:
//
//   g(x) = c + b.x + x'Hx / 2
//        = E(x) - sum_i u_i (x_i - x_i^2) / 2
//               - sum_ij [N_ij x_i x_j + P_ij (x_i - x_i x_j) + P_ji (x_j - x_i x_j)]
//
// with u, N and P of 0 or more and H = J + diag(u) - N + P + P', positive semidefinite.
// At plans x is 0 or 1: what u takes off is nothing, what N and P take off is nothing or more, and
// they make the couplings weaker, so that less of u is needed for a positive semidefinite H.
// Between plans g is lower than energies are; reformulation.h looks for what loses least there.
// Where one variable of a pair is settled what N and P took off is linear in the other: then it is
// given back, so that g is the energy where everything is settled.
//
// Widths of one layer exclude each other and one is set, so that (sum of them - 1)^2, times any
// weight, may be added where words are one-hot: then pairs of widths of a layer cost H nothing.
//
// Sources: A. Billionnet, S. Elloumi, "Using a mixed integer quadratic programming solver for the
// unconstrained quadratic 0-1 problem" (2007) for u; G. McCormick, "Computability of global
// solutions to factorable nonconvex programs" (1976) for N and P.

#include <Eigen/Core>
#include <span>
#include <vector>

#include "adiabat/plan/domain.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

// With the squares of one-hot words added.
qubo::Dense with_groups(const Hamiltonian& hamiltonian);

// What is taken off for the product of variables i and j.
struct Product {
    int i = 0, j = 0;
    double neither = 0;             // N: beyond what x_i x_j >= 0 allows
    double only_i = 0, only_j = 0;  // P: x_i x_j <= x_i, x_i x_j <= x_j
};

class ConvexEnergy {
  public:
    // `energy` with `products` taken off and the shift u, raised as far as is needed: H is positive
    // semidefinite however well the search for them went. At most anneal::kMostConvexVariables
    // variables; O(n^3).
    ConvexEnergy(const qubo::Dense& energy, std::vector<Product> products,
                 std::vector<double> shift);

    int variables() const { return static_cast<int>(linear_.size()); }
    double constant() const { return constant_; }
    const Eigen::VectorXd& linear() const { return linear_; }
    const Eigen::MatrixXd& curvature() const { return curvature_; }
    // What rounding can hide in a value.
    double rounding() const { return rounding_; }

    // What may be added to g where variables are settled (kCut: 1).
    struct GivenBack {
        double constant = 0;
        Eigen::VectorXd linear;
    };
    GivenBack given_back(std::span<const Settled> variables) const;

  private:
    double constant_ = 0, rounding_ = 0;
    Eigen::VectorXd linear_;
    Eigen::MatrixXd curvature_;
    std::vector<Product> products_;
};

}  // namespace adiabat::plan
