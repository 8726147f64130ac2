// SPDX-License-Identifier: Apache-2.0
#pragma once

// Walkers (walkers.h) over a dense problem: rows in fixed point, one replica after another
// (kernels/dense_rows.h). 4 n^2 bytes, 2 n^2 where the coefficients are small whole numbers.

#include <memory>

#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal {

// Null where the watch was over before the rows were made.
std::unique_ptr<const Model> make_dense_model(const qubo::Dense& problem, const Watch& watch,
                                              Moves moves);

}  // namespace adiabat::anneal
