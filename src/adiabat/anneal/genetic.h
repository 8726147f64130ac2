// SPDX-License-Identifier: Apache-2.0
#pragma once

// A genetic algorithm, pagmo's: a population of assignments recombined and mutated, the better of
// two chosen as parents. What other toolkits offer for such problems, for comparison on one clock.
//
// O(population) energies a generation, each from scratch: O(n^2) dense. pagmo comes in a plug-in,
// libadiabat_genetic.so, opened with dlopen the first time a genetic run begins: the file that the
// environment variable ADIABAT_GENETIC_PLUGIN names, else beside this library, else in ../lib
// beside the executable.
//
// Source: J. Holland, "Adaptation in natural and artificial systems" (1975); F. Biscani, D. Izzo,
// "A parallel global multiobjective framework for optimization: pagmo" (2020).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kGenetic;

}  // namespace adiabat::anneal
