// SPDX-License-Identifier: Apache-2.0
#pragma once

// The convex reformulation bound: the minimum over the box of a convex quadratic that equals E at
// every assignment that counts.
//
// x^2 = x, so that x'Jx/2 + h.x = x'(J + diag u)x/2 + (h - u/2).x for any u; where J + diag u is
// positive semidefinite the right side is convex. The u with the best bound is the dual of the
// semidefinite relaxation; mixing.h finds it nearly, positive_shift.h adds what it lacks, and the
// bound is that of a tangent (box_quadratic.h) less the rounding that is possible in it: certain,
// however well the steps before it went. Constraints enter as Lagrangian terms, with multipliers by
// subgradient steps along the way: mu (a.x - b) for budgets and groups, w x_i x_j for pairs of a
// group, whose product is zero. O(n^2.5) a sweep, O(n^3) for the certificate.
//
// Source: A. Billionnet, S. Elloumi, "Using a mixed integer quadratic programming solver for the
// unconstrained quadratic 0-1 problem" (2007).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/interval_rows.h"
#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

// Beyond it a certificate takes longer than most searches.
inline constexpr int kMostConvexVariables = 2000;

struct ConvexOptions {
    int sweeps = 300;                          // of the semidefinite relaxation, at most
    double seconds = 1e9;                      // for them; the certificate comes after
    uint64_t seed = 0;                         // of the vectors
    std::span<const qubo::Group> groups = {};  // whose pairs are exclusive
};

struct ConvexBound {
    double value = 0;           // at most the optimum inside the rows
    qubo::Dense relaxed;        // E with Lagrangian terms: at most E wherever the rows are kept
    std::vector<double> shift;  // u
    std::vector<double> x;      // the minimum over the box, nearly
};

ConvexBound convex_bound(const qubo::Dense& problem, std::span<const IntervalRow> rows,
                         const ConvexOptions& options, const Watch& watch);

// Bytes at work beyond the problem.
uint64_t convex_bound_bytes(int variables);

}  // namespace adiabat::anneal
