// SPDX-License-Identifier: Apache-2.0
#pragma once

// `finetune`: a file that compress wrote, trained to give what the original network gives.
//
// Images of the data's training part are drawn once by the seed: some train, others, disjoint, are
// held out and choose the epoch that is kept. The file written has the same structure and the same
// size (pipeline/tuning.h). Labels are used only where they are given a weight.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/images.h"
#include "adiabat/pipeline/tuning.h"

namespace adiabat::pipeline {

struct FinetuneOptions {
    std::string model, teacher, output;
    std::optional<std::string> run_file;  // run.json beside the output where not given
    DataOptions data;
    std::optional<int64_t> images;  // all there are where not given
    double held_out_share = 0.1;
    TuningOptions tuning;
    uint64_t seed = 0;
    int threads = 0;
    std::vector<std::string> command;  // for the document
};

// Returns the document that was written (doc/run-json.md). The same options give the same file,
// also where a run before was killed. What was interrupted says so in "training": "ending".
Json finetune(const FinetuneOptions& options, StopToken stop = {},
              ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
