// SPDX-License-Identifier: Apache-2.0
#pragma once

// A problem with its constraints moved into the energy by light weights that find their own size:
//
//   E(x) + sum over budgets mu (a.x - t + lambda / 2 mu)^2 + P sum over groups (as penalty.h has
//   it)
//
// t is the side of the budget that was broken last. After each local minimum lambda follows the
// violation v, lambda += 2 mu v (the method of multipliers), clipped to the sign that an inequality
// can have; mu grows where minima lie several of the largest coefficients away from the edge and
// shrinks where they lie on it. So minima come to lie around the edge, while single flips that
// cross it stay cheap. A budget that is kept without it costs nothing.
//
// Source: M. Hestenes (1969), M. Powell (1969).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

class AugmentedEnergy {
  public:
    // Keeps a reference. `scale`: a typical change of energy by a flip.
    AugmentedEnergy(const qubo::Problem& problem, double scale);

    // The energy as it stands; without constraints, or with all of them idle, the problem's own.
    const qubo::Problem& problem() const {
        if (original_.constraints.empty()) return original_;
        return has_terms_ ? augmented_ : plain_;
    }
    // Learns from a local minimum of problem(); whether problem() has changed.
    bool learn(std::span<const uint8_t> x);

  private:
    struct Multiplier {
        double lambda = 0, mu = 0, side = 0;
        double largest = 1;  // coefficient
        bool active = false;
    };
    void rebuild();

    const qubo::Problem& original_;
    qubo::Problem plain_;  // groups as penalties, budgets left out
    qubo::Problem augmented_;
    bool has_terms_ = false;
    std::vector<Multiplier> multipliers_;
};

}  // namespace adiabat::anneal
