// SPDX-License-Identifier: Apache-2.0
#pragma once

// `qubo`: what `compress` decides by, as a quadratic binary problem in a file for any solver, with
// a sidecar that says what each variable means; and an assignment of that problem as a plan again.
//
// The energy is the Hamiltonian's. Budgets become linear: their exact costs to first order at a
// reference plan (plan/linear_cost.h), the one that is decided or one that is given. Formats that
// hold constraints get the budgets and the one-hot groups as such; the others as squares
// (anneal/penalty.h), with slack variables behind the problem's own.
//
// Back again an assignment is decoded as the search does it (plan/hamiltonian.h), whatever is no
// plan repaired and said, the energy recomputed without penalties, the costs exact.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/run_options.h"

namespace adiabat::pipeline {

struct QuboOptions : RunOptions {
    std::string output;
    std::string budget;
    std::string format;  // by the ending of the output where empty
    std::optional<double>
        penalty;  // weight of a one-hot group; from the energy's scales if not given
    std::optional<std::string> at;  // the reference plan (plan_file.h), instead of deciding one
    std::vector<std::string> command;
};

// The sidecar of a problem's file: its name with ".meaning.json" behind.
std::string meaning_file_of(const std::string& problem_file);

// Writes both; returns the sidecar (doc/run-json.md).
Json write_qubo(const QuboOptions& options, StopToken stop = {},
                ProgressSink& progress = no_progress());

struct AssignmentOptions {
    std::string assignment;  // a result of `solve` (JSON), or lines of zeros and ones
    std::string meaning;     // the sidecar; the problem's file lies beside it
    std::string model;       // where the sidecar says, if empty
    std::string output;      // the plan
    int sample = 1;          // which of several assignments
    bool repair = false;     // saves until the budgets are kept
    int threads = 0;
    std::vector<std::string> command;
};

// Writes and returns the plan (plan_file.h) with its energy, its costs and what was repaired.
Json read_assignment(const AssignmentOptions& options, StopToken stop = {},
                     ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
