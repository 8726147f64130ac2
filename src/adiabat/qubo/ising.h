// SPDX-License-Identifier: Apache-2.0
#pragma once

// The Ising view: E(s) = offset + sum_i h_i s_i + sum_{i<j} J_ij s_i s_j, s_i in {-1, 1}.
//
// With s = 2x - 1 the two views hold the same energies:
//   h^x_i = 2 h_i - 2 sum_j J_ij,  J^x = 4 J,  offset^x = offset - sum h + sum J,  and back
//   h_i = h^x_i / 2 + sum_j J^x_ij / 4,  J = J^x / 4.
// Multiplications by powers of two are exact in floating point; sums round once each, so that
// conversion is exact wherever the coefficients are multiples of a common power of two.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/qubo/sparse.h"

namespace adiabat::qubo {

struct Ising {
    std::vector<double> h;
    std::vector<Edge> couplings;  // i < j, each pair once
    double offset = 0;

    // E of n values -1 and 1.
    double energy(std::span<const int8_t> s) const;
};

Sparse from_ising(const Ising& ising);
// Takes a problem with any storage: Sparse itself, or the edges of a dense one (sparse_of).
Ising to_ising(const Sparse& problem);

// s = 2x - 1 and back.
std::vector<int8_t> spins_of(std::span<const uint8_t> x);
std::vector<uint8_t> binary_of(std::span<const int8_t> s);

}  // namespace adiabat::qubo
