// SPDX-License-Identifier: Apache-2.0
#pragma once

// The roof dual of a sparse problem: a lower bound, and values that all optima share.
//
// E is written as a posiform, a constant plus products of literals (x or 1 - x) with positive
// coefficients: J x_i x_j with J < 0 is J x_j + |J| (1 - x_i) x_j. Each product a u v stands for
// two arcs u -> not v, v -> not u of capacity a, each linear literal a u for true -> not u, u ->
// not true; half the maximum flow from `true` to `not true` plus the constant is the largest bound
// that linear relaxation gives. Literals that `true` still reaches hold in every optimum (strong
// persistency). O(flow) in whole numbers of a unit; coefficients are rounded down to it, so that
// the bound stays one, and the unit is 2^-60 of the sum of all, far below what a double resolves.
//
// Source: P. Hammer, P. Hansen, B. Simeone, "Roof duality, complementation and persistency in
// quadratic 0-1 optimization" (1984); E. Boros, P. Hammer, "Pseudo-Boolean optimization" (2002).

#include <cstdint>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/sparse.h"

namespace adiabat::anneal {

struct RoofDual {
    double bound = 0;
    // 0 or 1 where all optima of the unconstrained problem have that value, else -1.
    std::vector<int8_t> persistent;
    // Whether the flow is the maximum; else the bound is weaker, and nothing is persistent.
    bool complete = false;
};

RoofDual roof_dual(const qubo::Sparse& problem, const Watch& watch);

// Bytes beyond the problem.
uint64_t roof_dual_bytes(int variables, uint64_t pairs);

}  // namespace adiabat::anneal
