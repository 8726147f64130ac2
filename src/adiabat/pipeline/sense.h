// SPDX-License-Identifier: Apache-2.0
#pragma once

// `sense`: what each cut and each width does to a network's outputs, into the cache and a document.

#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/run_options.h"

namespace adiabat::pipeline {

struct SenseOptions : RunOptions {
    bool compare = false;  // by the other method too, and how the two agree
    std::vector<std::string> command;
};

// {"sensing": .., "layers": [{"name", "widths": [{"bits", "effect"}], "cuts": [{"filter", "group",
// "effect"}]}], "comparison": ..}: effects are |a|^2 (sense/effects.h).
Json sense(const SenseOptions& options, StopToken stop = {},
           ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
