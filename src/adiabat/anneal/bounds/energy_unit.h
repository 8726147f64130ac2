// SPDX-License-Identifier: Apache-2.0
#pragma once

// The lattice of energies: with whole coefficients (or whole multiples of a power of two) every
// energy is the offset plus a whole multiple of their greatest common divisor, and a bound may be
// rounded up to the next. O(size of the problem).

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

// 0 where there is none, the problem is factored, or the watch is over first.
double energy_unit(const qubo::Problem& problem, const Watch* watch = nullptr);

// The lowest energy of the lattice that is not below the bound, less 1e-9 of the unit where the
// offset makes rounded sums of energies; the bound itself without a unit.
double round_up(double bound, double offset, double unit);

}  // namespace adiabat::anneal
