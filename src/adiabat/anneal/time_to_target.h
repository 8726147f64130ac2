// SPDX-License-Identifier: Apache-2.0
#pragma once

// The time to target of a technique on a problem, measured: a ladder of run lengths, each twice the
// one before, so many reads of each; of every length processor seconds a read and the share of
// reads that reached the target; the length with the least time to target (statistics.h).
//
// The ladder ends where all reads succeed or the time to target has grown to several times its
// least (longer runs only cost more), at the longest length, or when the watch ends it. Seconds are
// those of the whole call to solve() over the reads: making the problem ready is shared by them.

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "adiabat/anneal/solve.h"
#include "adiabat/anneal/statistics.h"

namespace adiabat::anneal {

// Energies that far above a target still reach it: a billionth of it and what rounding may do to
// sums of the problem's coefficients.
// `known`: the problem's energy_tolerance(), a pass over all coefficients where it is not known.
double target_tolerance(const qubo::Problem& problem, double target,
                        std::optional<double> known = {});

struct LadderOptions {
    // Technique and values (but the length), reads of each length, seed, threads. Its target is the
    // ladder's; where there is none, the lowest energy that any read found. Its time limit is that
    // of all lengths together.
    SolveOptions solve;
    int64_t shortest = 16;
    int64_t longest = 1 << 20;
    int resamples = 1000;
};

struct Rung {
    RunLength runs;
    Interval success;               // of its probability
    double proposals_a_second = 0;  // of processor time
};

struct Ladder {
    std::string technique, option;  // the option that is the length
    double target = std::numeric_limits<double>::infinity();
    bool target_given = false;
    double tolerance = 0;
    std::vector<Rung> rungs;
    size_t best = 0;     // the rung with the least time to target
    double seconds = 0;  // that time; infinity where no read succeeded
    Interval interval;   // of it
    EndReason end = EndReason::kFinished;
    Solution lowest;  // of all reads
};

// The option of a technique that is its run length: "sweeps", or what it has instead. Throws
// InputError where it has none (an exact technique, descent).
std::string length_option(const Technique& technique);

// Throws InputError as solve() does, and where the technique has no run length.
Ladder measure_ladder(const qubo::Problem& problem, const LadderOptions& options,
                      StopToken stop = {}, ProgressSink& progress = no_progress());

}  // namespace adiabat::anneal
