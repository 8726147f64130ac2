// SPDX-License-Identifier: Apache-2.0
#pragma once

// `explain`: why a run's plan is what it is. The run is set up again from its document (the model,
// the same images, what was sensed of them from the cache), so that every number is the
// Hamiltonian's own: what the next width of each layer would change, what each cut adds,
//
//   marginal of a group = its single effect + couplings with the other cuts + with the widths,
//
// which partners stand in for it, and the nearest other plans that keep the budgets
// (plan/alternatives.h).

#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"

namespace adiabat::pipeline {

struct ExplainOptions {
    std::string run;                  // a document of `compress`
    std::string model, data;          // where they lie now, if not where the document says
    std::string cache;                // likewise of what was sensed
    std::vector<std::string> layers;  // in detail: names, as --keep takes them
    std::string filter;               // in detail: LAYER:INDEX
    size_t alternatives = 10;         // of each kind at most
    int threads = 0;
    std::vector<std::string> command;
};

// Schema: doc/run-json.md.
Json explain(const ExplainOptions& options, StopToken stop = {},
             ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
