// SPDX-License-Identifier: Apache-2.0
#pragma once

// From the states that a technique returned to solutions of the problem as given: slack and fixed
// variables undone, constraints mended, polished, every energy recomputed in double, aggregated.
//
// Once the watch is over little time is left: reads are then looked at from the lowest on, without
// polish, until 20 ms have passed; the first always is. Those that there was no time for are
// dropped.

#include <cstdint>
#include <vector>

#include "adiabat/anneal/reduce.h"
#include "adiabat/anneal/solution.h"
#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

struct Collected {
    std::vector<Solution> best, last;  // of each read, in the order of the reads
    int dropped = 0;                   // reads that keep no constraints, or that time was short for
};

struct CollectOptions {
    uint64_t seed = 0;
    int threads = 1;
    bool polish = true;
    double tolerance = 0;  // energy differences that count as none
};

// `reduction.problem()` is the problem of the reads' leading variables.
Collected collect(const qubo::Problem& original, const Reduction& reduction,
                  const std::vector<Read>& reads, const CollectOptions& options,
                  const Watch& watch);

// The different assignments among best and last states, at most `keep`, lowest first, with how
// often each was met.
Solutions aggregated(const Collected& collected, int keep, bool complete);

}  // namespace adiabat::anneal
