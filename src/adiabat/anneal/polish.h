// SPDX-License-Identifier: Apache-2.0
#pragma once

// Descent at the end of a read, inside the constraints: single flips, then pairs (a swap is a
// pair), until neither lowers the energy. Pairs matter where terms almost cancel: a budget written
// as a square, a Gram matrix. O(n) a flip to find, O(n^2) a pair;
// rows of a dense matrix that cannot hold a better pair are left out.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

// Up to this size pairs are tried: a search through all pairs takes a few milliseconds.
inline constexpr int kMostForPairs = 2048;

// Of each variable the largest size of its couplings, which bounds what a pair can gain; once a
// problem. Empty where no search for pairs would use it: not dense, or too large. O(n^2).
std::vector<double> largest_couplings(const qubo::Problem& problem);

// `x` keeps the constraints and goes on to; its energy does not rise. Ends early where the watch is
// over. Changes below `tolerance` count as none. `largest`: from largest_couplings.
void polish(const qubo::Problem& problem, std::vector<uint8_t>& x, double tolerance, bool pairs,
            std::span<const double> largest, const Watch& watch);

}  // namespace adiabat::anneal
