// SPDX-License-Identifier: Apache-2.0
#pragma once

// `pareto`: what a network loses at a sweep of budgets, from one sensing pass.
//
// Each point is decided, carried out, judged and written as compress would (without ranking several
// candidates or equalizing channels unless asked to), its file and its document beside the table. A
// point that is there already, of the same model, images and options, is taken as it is: a sweep
// that was killed goes on. Points of another sweep that had more of them stay, and that is said.
// Over all points the divergence is set against the energy (plan/fit.h).

#include <filesystem>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/equalizing.h"
#include "adiabat/pipeline/run_options.h"

namespace adiabat::pipeline {

struct ParetoOptions : RunOptions {
    std::filesystem::path folder;      // of the results; made
    std::vector<std::string> budgets;  // one a point, as compress takes them
    size_t candidates = 1;
    Equalize equalize = Equalize::kOff;
    std::vector<std::string> command;
};

// "macs", 12 points from "100%" to "40%": evenly spaced, as budgets.
std::vector<std::string> sweep_of(const std::string& quantity, const std::string& from,
                                  const std::string& to, int points);

// Writes pareto.json, pareto.csv, pareto.svg, point-00.onnx, point-00.json .. Returns the document:
// {"points": [..], "knee": index or null, ..}.
Json pareto(const ParetoOptions& options, StopToken stop = {},
            ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
