// SPDX-License-Identifier: Apache-2.0
#pragma once

// Fixed variables taken out of a problem, and put back into its assignments.
//
// What is fixed directly, or follows: in an exclusive or one-hot group with a variable fixed at 1
// all others are 0; a one-hot group with all others fixed at 0 has its last one at 1. The reduced
// problem has the same form and the same energies. O(size of the problem).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

class Reduction {
  public:
    // Throws InputError where the fixed values contradict a group or a budget.
    explicit Reduction(const qubo::Problem& problem);

    // Whether nothing is fixed: then problem() is the one that was given.
    bool is_trivial() const { return kept_.size() == values_.size(); }
    // The problem of the variables that are left.
    const qubo::Problem& problem() const { return is_trivial() ? original_ : reduced_; }

    // Between assignments of all variables and of those left.
    std::vector<uint8_t> extended(std::span<const uint8_t> x) const;
    std::vector<uint8_t> reduced(std::span<const uint8_t> x) const;

  private:
    void fix(int variable, uint8_t value);
    void propagate();
    qubo::Energy reduced_form() const;
    qubo::Constraints reduced_constraints() const;

    const qubo::Problem& original_;
    std::vector<int8_t> values_;  // -1 where free
    std::vector<int> kept_;       // the free ones, ascending
    std::vector<int> places_;     // of each variable in kept_, -1 where fixed
    qubo::Problem reduced_;
};

}  // namespace adiabat::anneal
