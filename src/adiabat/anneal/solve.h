// SPDX-License-Identifier: Apache-2.0
#pragma once

// Solves a problem with a technique: what the command line and other programs call.
//
// What every technique would have to do is done here once: options are checked; the memory needed
// is estimated and refused before anything is allocated; fixed variables are taken out and put
// back; constraints that the technique does not keep itself become squared penalties (a budget's
// inequality with binary slack variables), or it refuses; feasible starts are found; reads are
// repeated until a limit where restarts are asked for; results are repaired, polished by descent
// inside the constraints, recomputed in double, aggregated.

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "adiabat/anneal/solution.h"
#include "adiabat/anneal/technique.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

struct SolveOptions {
    std::string technique = "annealing";
    std::map<std::string, std::string> values = {};  // of the technique's own options
    int reads = 16;                                  // 1 to 1,000,000
    uint64_t seed = 0;
    int threads = 0;  // 0: as many as the hardware has
    int keep = 16;    // different assignments to return at most
    // Rounds of `reads` reads, each with random numbers of its own; 0: until a limit ends them
    // (then a time limit or a target is required).
    int restarts = 1;
    std::optional<double> time_limit = {};  // seconds
    std::optional<double> target = {};      // stop at an energy at or below
    // Where reads start, in turn; states that break constraints are repaired first.
    std::vector<std::vector<uint8_t>> initial = {};
    std::optional<double> penalty = {};  // weight of squared penalties; from the problem's scales
    bool polish = true;                  // descent from each read's best state
    std::optional<uint64_t> memory_limit = {};  // bytes, the problem among them; the machine's
};

struct SolveResult {
    Solutions lowest;            // different assignments that keep the constraints, lowest first
    std::vector<Solution> best;  // of each read, in the order of the reads
    std::vector<Solution> last;  // where each read ended; unpolished: a sample
    EndReason end = EndReason::kFinished;
    int64_t sweeps = 0, proposals = 0, flips = 0;
    int rounds = 0;
    double seconds = 0;                // from the call to the end
    uint64_t memory_bytes = 0;         // the estimate
    std::optional<double> bound = {};  // an exact technique's; of the problem as given
    // energy_tolerance() of the problem as given, where it was found on the way; of the rows that
    // were looked at where an end came first.
    std::optional<double> tolerance = {};
    Json options;  // as used
    Json details;  // of the last round
};

// Throws InputError for options out of range, a technique that refuses the constraints, too little
// memory, or constraints that no assignment was found to keep.
SolveResult solve(const qubo::Problem& problem, const SolveOptions& options, StopToken stop = {},
                  ProgressSink& progress = no_progress());

}  // namespace adiabat::anneal
