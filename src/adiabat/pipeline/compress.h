// SPDX-License-Identifier: Apache-2.0
#pragma once

// `compress`: the main job. A float network, calibration images and budgets in; a smaller ONNX file
// and a document of the run out.
//
// Read and simplify; draw the images; weigh every filter and bit width; decide (plan/decide.h);
// cut, round, calibrate (apply/); write; read back and judge on images that took no part. The size
// predicted before the search is the size written, to the byte. Nothing is written unless
// everything went well; where distillation was interrupted, the best so far is.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/equalizing.h"
#include "adiabat/pipeline/run_options.h"
#include "adiabat/tune/descent.h"

namespace adiabat::pipeline {

struct CompressOptions : RunOptions {
    std::string output;
    std::optional<std::string> run_file;  // run.json beside the output where not given
    // plan/budget.h; may be empty where there is a plan or a limit of the loss.
    std::string budget;
    // The smallest network that loses no more (inverse.h): of which quantity, and how much. Budgets
    // are kept besides.
    std::optional<double> max_kl, max_drop;
    std::string minimize = "file";
    // A plan from a file (plan_file.h): nothing is sensed or decided, budgets are only checked.
    std::optional<std::string> plan_file;
    size_t candidates = 0;  // good plans to carry out and rank; 0: ranking.h says
    bool fit = false;       // the interactions to the network, before deciding (ranking.h)
    int steps = 1;          // to the budgets, effects sensed anew after each (path.h); 0: chosen
    double certify = 5;     // seconds for the bound; 0: none
    Equalize equalize = Equalize::kAuto;
    bool layer_table = false;           // layer_table.h
    bool measure = false;               // latency in ONNX Runtime (latency.h)
    std::optional<std::string> python;  // that runs it
    // Seconds for the separable integer program that other toolkits solve, to compare; 0: none.
    double integer_program = 0;
    // Afterwards it is distilled from the original (tuning.h): so many epochs, 0: none, on images
    // of the training part that do not judge, all if not given.
    int finetune = 0;
    std::optional<int64_t> finetune_images;
    double finetune_rate = tune::DescentOptions().rate;
    std::vector<std::string> command;  // for the document
};

// Returns the document that was written (schema: doc/run-json.md). The same options give the same
// file.
Json compress(const CompressOptions& options, StopToken stop = {},
              ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
