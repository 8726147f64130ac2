// SPDX-License-Identifier: Apache-2.0
#pragma once

// Population annealing: a population of replicas is cooled from beta = 0 in steps; at each step
// replica r gets about R exp(-dbeta E_r) / sum_q exp(-dbeta E_q) offspring, so that the population
// follows the Boltzmann distribution, and all then make some sweeps.
//
// The reads are the population. Offspring are counted by systematic resampling: one random number,
// every count within one of its expectation. Steps are as long as lets a given fraction of the
// population die (adaptive), or geometric from beta-min to beta-max. The mean weights multiply to
// the partition function: log Z = n log 2 + sum log mean exp(-dbeta E), reported where the
// population started at random. O(steps sweeps R n) proposals.
//
// Source: K. Hukushima, Y. Iba, "Population annealing and its application to a spin glass" (2003);
// J. Machta, "Population annealing with weighted averages" (2010); C. Amey, J. Machta, "Analysis
// and optimization of population annealing" (2018).

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kPopulation;

// Offspring by systematic resampling: counts that add up to the number of weights, each the
// expectation R w / sum w rounded down or up; u in [0, 1) decides. O(R).
std::vector<int> systematic_offspring(std::span<const double> weights, double u);

}  // namespace adiabat::anneal
