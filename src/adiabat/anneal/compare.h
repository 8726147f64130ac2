// SPDX-License-Identifier: Apache-2.0
#pragma once

// Several techniques on one problem under one clock: each gets the same time limit, seed, threads
// and starts, and repeats its reads until the limit.
//
// The target is the one that is given, or the lowest energy that any of them found: then the
// comparison is relative to itself, and says so. A read that ends at it is a success; the time to
// target takes a read's processor seconds as the run's (statistics.h). A technique that refuses the
// problem gets a row that says why.

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "adiabat/anneal/solve.h"
#include "adiabat/anneal/statistics.h"

namespace adiabat::anneal {

struct CompareOptions {
    std::vector<std::string> techniques;  // names, at least one, each once
    // Values without a technique's name go to those that have the option; "tabu.tenure" to one.
    // The time limit is each technique's and must be given; restarts do not count.
    SolveOptions solve;
};

struct Compared {
    std::string technique;
    std::string refused = {};  // why it did not run; then the rest is empty
    std::optional<double> energy = {};
    RunLength runs = {};  // its reads, whatever their length
    Interval success = {0, 1};
    double time_to_target = std::numeric_limits<double>::infinity();
    Interval interval = {};  // of it, from that of the success probability
    double seconds = 0;      // by the clock
    double processor_seconds = 0;
    int64_t sweeps = 0, proposals = 0;
    std::optional<double> bound = {};
    EndReason end = EndReason::kFinished;
    Json options = {};
};

struct Comparison {
    std::vector<Compared> rows;  // in the order in which they were asked for
    double target = std::numeric_limits<double>::infinity();
    bool target_given = false;
    double tolerance = 0;
    Solution lowest;  // of all
    bool interrupted = false;
};

// Throws InputError for names that are unknown or twice, options that none of the techniques has, a
// missing time limit, or where every technique refuses.
Comparison compare(const qubo::Problem& problem, const CompareOptions& options, StopToken stop = {},
                   ProgressSink& progress = no_progress());

}  // namespace adiabat::anneal
