// SPDX-License-Identifier: Apache-2.0
#pragma once

// Steepest descent by single flips: flips the variable that lowers the energy most until none does.
// O(n) a flip with cached local fields, O(n^2) to begin. Polishes what an annealer stopped at.

#include <cstdint>
#include <span>

#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

// The largest gain that counts as none: rounding in the fields must not make two states lower than
// each other. 1e-12 of the largest change that one flip can make (1e-12 itself for a problem
// without terms).
double energy_tolerance(const qubo::Dense& problem);

// Descends from `x` in place to a state that no flip lowers by more than `tolerance`. Returns the
// flips.
int64_t descend(const qubo::Dense& problem, std::span<uint8_t> x, double tolerance);

}  // namespace adiabat::anneal
