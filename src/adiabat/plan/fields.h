// SPDX-License-Identifier: Apache-2.0
#pragma once

// An assignment of a problem with what moves of a few flips need: local fields on demand,
// couplings, flips.
//
//   f_i = h_i + sum_j J_ij x_j      dE of a flip = s_i f_i,  s_i = 1 - 2 x_i
//   dE of several flips = sum_i s_i f_i + sum_{i<j} s_i s_j J_ij
//
// Dense and sparse problems keep every field current: O(1) a field, a flip is one row. Of a
// factored problem only the sums z_k = b_k + a_k.x and the fields inside its blocks are kept:
// O(rank) a field or a coupling, O(rank + block) a flip, so that thousands of flips of a network
// with 26,000 groups take no n x n work. (anneal/local_fields.h keeps all fields, for techniques
// that look at each.)

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/qubo/problem.h"

namespace adiabat::plan {

class Fields {
  public:
    // Keeps a reference to the problem.
    Fields(const qubo::Problem& problem, std::span<const uint8_t> x);

    std::span<const uint8_t> x() const { return x_; }
    double sign(int i) const { return x_[static_cast<size_t>(i)] ? -1.0 : 1.0; }
    double field(int i) const {
        const double kept = fields_[static_cast<size_t>(i)];
        return factored_ ? kept + field_of_squares(i) : kept;
    }
    double coupling(int i, int j) const {
        return dense_ ? couplings_[static_cast<size_t>(i) * x_.size() + static_cast<size_t>(j)]
                      : other_coupling(i, j);
    }
    // dE of several flips of different variables at once. O(flips^2), of a factored problem O(flips
    // (rank + flips in one block)).
    double energy_of(std::span<const int> flips) const;
    bool has_quick_couplings() const { return !factored_; }
    void flip(int i);
    void set(std::span<const uint8_t> x);
    // Everything anew, so that rounding does not add up; the energy of the assignment.
    double recompute();

  private:
    double field_of_squares(int i) const;
    double other_coupling(int i, int j) const;

    const qubo::Problem& problem_;
    const qubo::Dense* dense_ = nullptr;
    const qubo::Factored* factored_ = nullptr;
    const double* couplings_ = nullptr;  // of the dense form
    std::vector<uint8_t> x_ = {};
    std::vector<double> fields_ = {};  // factored: of linear terms and blocks alone
    // Factored: 2 w_k z_k, and of each variable sum_k w_k a_ik^2.
    std::vector<double> pulls_, squares_;
};

}  // namespace adiabat::plan
