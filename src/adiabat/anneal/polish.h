// SPDX-License-Identifier: Apache-2.0
#pragma once

// Descent at the end of a read, inside the constraints: single flips, then pairs (a swap is a
// pair), until neither lowers the energy. Pairs matter where terms almost cancel: a budget written
// as a square, a Gram matrix. O(n) a flip to find, O(n^2) a pair.

#include <cstdint>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

// Up to this size pairs are tried: a search through all pairs takes a few milliseconds.
inline constexpr int kMostForPairs = 2048;

// `x` keeps the constraints and goes on to; its energy does not rise. Ends early where the watch is
// over. Changes below `tolerance` count as none.
void polish(const qubo::Problem& problem, std::vector<uint8_t>& x, double tolerance, bool pairs,
            const Watch& watch);

}  // namespace adiabat::anneal
