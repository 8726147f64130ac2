// SPDX-License-Identifier: Apache-2.0
#pragma once

// The digital annealer's algorithm: in every step the flips of all variables are tried at once, one
// of those that would be accepted is made, chosen uniformly; where none would be, an offset is
// taken off all dE and grows with every such step, so that the walk climbs out of any minimum. The
// offset falls to zero with the next flip.
//
// Flip i is acceptable where u_i < exp(-beta (dE_i - offset)). As published this is not an exact
// sampler: the offset breaks detailed balance, and even without it the choice among acceptable
// flips weighs each by how many others there are. It is a heuristic for minima, and `last` states
// are no Boltzmann samples. A step costs O(n), with random numbers drawn only for the variables in
// whose block some flip is within reach.
//
// Source: M. Aramon, G. Rosenberg, E. Valiante, T. Miyazawa, H. Tamura, H. Katzgraber,
// "Physics-inspired optimization for quadratic unconstrained problems using a digital annealer"
// (2019).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kDigital;

}  // namespace adiabat::anneal
