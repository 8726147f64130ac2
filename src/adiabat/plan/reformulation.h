// SPDX-License-Identifier: Apache-2.0
#pragma once

// The convex energy that loses least at a mixture of plans.
//
// Which u, N and P of convex_energy.h is best depends on where it is to be high. At a mixture z the
// loss is
//
//   sum_i u_i z_i (1 - z_i) / 2 + sum_ij [N_ij z_i z_j + P_ij z_i (1 - z_j) + P_ji z_j (1 - z_i)]
//
// and the least of it, with H positive semidefinite, is the dual of a semidefinite program over
// covariances X of the variables:
//
//   max -sum_ij J_ij X_ij / 2
//   with X_ii = z_i (1 - z_i),   -z_i z_j <= X_ij <= min(z_i, z_j) - z_i z_j
//
// In units of sqrt(z (1 - z)) X has a unit diagonal and is found by mixing.h; N and P are the
// multipliers of the inequalities, by subgradient steps that grow smaller, and go on where they
// were when z moves. At z = 1/2 no inequality binds and u is the one of least sum. Whatever comes
// out is valid: nothing has to have converged. O(n^2 + couplings sqrt(n)) a step.
//
// Sources: H. Sherali, W. Adams, "A hierarchy of relaxations between the continuous and convex hull
// representations for zero-one programming problems" (1990) for the inequalities; A. Billionnet,
// S. Elloumi, A. Lambert, "Extending the QCR method to general mixed-integer programs" (2012).

#include <cstdint>
#include <memory>
#include <span>

#include "adiabat/anneal/watch.h"
#include "adiabat/plan/convex_energy.h"

namespace adiabat::plan {

class Reformulation {
  public:
    Reformulation(const Hamiltonian& hamiltonian, uint64_t seed);
    ~Reformulation();
    Reformulation(Reformulation&&) = delete;
    Reformulation& operator=(Reformulation&&) = delete;
    Reformulation(const Reformulation&) = delete;
    Reformulation& operator=(const Reformulation&) = delete;

    // `z` has an entry 0 .. 1 a variable. Less good where the watch is over.
    ConvexEnergy at(std::span<const double> z, const anneal::Watch& watch);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace adiabat::plan
