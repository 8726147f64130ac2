// SPDX-License-Identifier: Apache-2.0
#pragma once

// Metropolis walks over sparse problems: sixteen or eight replicas in the lanes of vectors, lone
// ones by themselves (kernels/sparse_lanes.h). How replicas are put together changes no sample.
//
// Coefficients are rounded to whole units. Where all are multiples of one number and no row's sum
// is beyond 1023 of it (+-1 couplings), fields take 16 bits; else 32, and the unit is the power of
// two that brings the largest row's sum to 2^25 .. 2^26. A proposal costs O(1), an accepted flip
// O(degree); 2 or 4 bytes a variable and replica, and 2 bytes a variable and 16 replicas for the
// best states. Best states are the lowest of those that sweeps started from or ended in.

#include <memory>

#include "adiabat/anneal/walkers.h"
#include "adiabat/qubo/sparse.h"

namespace adiabat::anneal {

// Keeps no reference to `problem`. `expected_replicas` decides how many are best moved together.
std::unique_ptr<const Model> make_sparse_model(const qubo::Sparse& problem, int expected_replicas);

}  // namespace adiabat::anneal
