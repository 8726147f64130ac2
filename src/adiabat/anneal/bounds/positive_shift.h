// SPDX-License-Identifier: Apache-2.0
#pragma once

// Certificates that a matrix J + diag(u) is positive semidefinite.
//
// A Cholesky factorization in double of the matrix less c I that runs to its end proves it, for c
// at least about n eps trace: rounding errors of any order of the sums included. Eigenvalues, of
// the matrix or of its Lanczos matrix, say by how much a diagonal falls short. O(n^3) each.
//
// Source: S. Rump, "Verification of positive definiteness" (2006).

#include <optional>
#include <span>
#include <vector>

#include "adiabat/anneal/bounds/symmetric.h"
#include "adiabat/anneal/watch.h"

namespace adiabat::anneal {

// Whether `couplings` + diag(`diagonal`) is certainly positive semidefinite; false where that is
// not so or not sure, nothing where the watch ended it.
std::optional<bool> certainly_positive(const Symmetric& couplings, std::span<const double> diagonal,
                                       const Watch& watch);

// The sums of the rows' sizes, rounded up: a diagonal that is always enough. O(n^2).
std::vector<double> dominant_diagonal(const Symmetric& couplings);

// A diagonal that is certainly enough: the given one with the least that is found to be needed
// added to all; a dominant one where the watch ends the search.
std::vector<double> enough_diagonal(const Symmetric& couplings, std::vector<double> diagonal,
                                    const Watch& watch);

}  // namespace adiabat::anneal
