// SPDX-License-Identifier: Apache-2.0
#pragma once

// Memetic tabu search: a population of local minima; a child takes what two parents agree on, the
// rest at random, and is improved by a stretch of tabu search (tabu_run.h); it takes the place of
// the worst where it is lower and new. What good states agree on is mostly right, and the search is
// put to work on the rest: the method of choice for problems whose terms nearly cancel.
//
// Constraints are kept by oscillation: the search itself moves on
// E + sum_b mu_b (a_b.x - t_b)^2 + lambda_b a_b.x (augmented_energy.h), weights so small that it
// crosses the edge of the feasible set again and again; every child is then mended and polished by
// flips and pairs inside the constraints, and only such states are members and results.
//
// A generation costs some 5 n flips and more, O(n) each where dense.
//
// Sources: Z. Lu, F. Glover, J.-K. Hao, "A hybrid metaheuristic approach to solving the UBQP
// problem" (2010); oscillation: F. Glover, "Heuristics for integer programming using surrogate
// constraints" (1977).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kMemetic;

}  // namespace adiabat::anneal
