// SPDX-License-Identifier: Apache-2.0
#pragma once

// Tabu search by single flips: always the best flip that is allowed, uphill where none leads down;
// a variable that was flipped stays for some iterations, its tenure, unless flipping it leads below
// the best state of the read.
//
// The tenure is min(20 + n / 100, 200, n / 4) and up to half as much again, drawn anew for each
// flip. After `stall` iterations without a new lowest the search goes on from one of the read's
// elite states with 10 to n / 4 random flips. An iteration costs O(n) dense and O(degree log n)
// sparse: tabu_moves.h. Inside constraints moves are flips, steps in groups and swaps:
// feasible_moves.h.
//
// Source: F. Glover, "Future paths for integer programming" (1986); J. Beasley, "Heuristic
// algorithms for the unconstrained binary quadratic programming problem" (1998); G. Palubeckis,
// "Iterated tabu search for the unconstrained binary quadratic optimization problem" (2006).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kTabu;

}  // namespace adiabat::anneal
