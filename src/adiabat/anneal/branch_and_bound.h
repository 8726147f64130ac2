// SPDX-License-Identifier: Apache-2.0
#pragma once

// Branch and bound: the optimum and a proof, or after a limit the best state and a bound.
//
// Depth first over an order of variables fixed in advance (branch_plan.h). The bound of a node is
// that of a tangent to its convex relaxation (bounds/box_quadratic.h), whose point and gradient
// come from the node above at O(n); coordinate descent improves it until the node is cut off or
// clearly cannot be. Values that alone would lift the bound over the best state are out (reduced
// costs), as are those that break a row of constraints (branch_rows.h). The last eight variables
// are taken at once (block_table.h). Before all that: a good state by tabu search, persistent
// variables by roof duality, one variable of problems that are symmetric under flipping all spins,
// and whole energies, which lift every bound to the next whole one. O(n^2) a node at most; one
// thread, since most of its use is on problems that take seconds.
//
// Source: A. Land, A. Doig, "An automatic method of solving discrete programming problems" (1960);
// A. Billionnet, S. Elloumi (2007) for the relaxation; C. Buchheim, A. Caprara, A. Lodi (2012) for
// the fixed order.

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

inline constexpr int kMaxBranchVariables = 1000;

// All reads are the one answer. `bound` equals its energy where the search came to its end;
// differences within energy_tolerance count as none.
extern const Technique kBranchAndBound;

}  // namespace adiabat::anneal
