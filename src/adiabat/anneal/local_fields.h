// SPDX-License-Identifier: Apache-2.0
#pragma once

// One assignment of a problem of any form with all local fields kept current, in double: the plain
// tool of techniques that look at every variable before they move (tabu, descent, parallel trial).
//
// f_i = h_i + sum_j J_ij x_j; flipping x_i changes the energy by (1 - 2 x_i) f_i. A flip costs
// O(n) dense, O(degree) sparse, O(n rank) factored. Fields and energy are recomputed after 16 n
// flips, so that rounding does not add up. (Metropolis walks have faster means: walkers.h.)

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

class LocalFields {
  public:
    // Keeps a reference to `problem`.
    // Where a watch is given and over before all couplings were added up, the state has an energy
    // of infinity: it is an assignment and no more.
    LocalFields(const qubo::Problem& problem, std::span<const uint8_t> x,
                const Watch* watch = nullptr);

    int variables() const { return static_cast<int>(x_.size()); }
    std::span<const uint8_t> x() const { return x_; }
    double energy() const { return energy_; }
    std::span<const double> fields() const { return fields_; }
    // dE of flipping x_i.
    double change(int i) const {
        const double field = fields_[static_cast<size_t>(i)];
        return x_[static_cast<size_t>(i)] ? -field : field;
    }
    void flip(int i);
    // Another assignment.
    void set(std::span<const uint8_t> x);

  private:
    const qubo::Problem& problem_;
    const Watch* watch_;
    std::vector<uint8_t> x_;
    std::vector<double> fields_;
    double energy_ = 0;
    int64_t flips_ = 0;
};

// Fields and energy of an assignment, in double; of a dense or sparse problem without a pass of its
// own for the energy, and nothing where `watch` was over before the end.
struct FieldsAndEnergy {
    std::vector<double> fields;
    double energy = 0;
};
std::optional<FieldsAndEnergy> fields_and_energy(const qubo::Problem& problem,
                                                 std::span<const uint8_t> x,
                                                 const Watch* watch = nullptr);

// The largest energy difference that counts as none: 1e-12 of the largest change that a flip can
// make, 1e-12 for a problem without terms. O(size of the problem); where a watch is given and over,
// of the rows seen so far.
double energy_tolerance(const qubo::Problem& problem, const Watch* watch = nullptr);

// Flips the variable that lowers the energy most until none does by more than `tolerance`. Returns
// the flips.
int64_t descend(LocalFields& state, double tolerance);

}  // namespace adiabat::anneal
