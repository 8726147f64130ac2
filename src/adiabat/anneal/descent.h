// SPDX-License-Identifier: Apache-2.0
#pragma once

// Steepest descent from many starts: each read flips the variable that lowers the energy most until
// no flip does and, where pairs are asked for, until no two flips together do.
//
// Two flips together change the energy by dE_i + dE_j + J_ij (1 - 2 x_i)(1 - 2 x_j); where no flip
// helps, only pairs that interact can. A flip costs O(n) dense, O(degree log n) sparse (a heap of
// the flips that help), O(n rank) factored; a search of the pairs their number. Inside constraints
// the moves are those of feasible_moves.h, with all pairs in the end where asked for; reads beyond
// the starts that there are begin with random moves from one, since descent from the same start
// would be the same.

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kDescent;

}  // namespace adiabat::anneal
