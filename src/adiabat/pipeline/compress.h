// SPDX-License-Identifier: Apache-2.0
#pragma once

// `compress`: the main job. A float network, calibration images and budgets in; a smaller ONNX file
// and a document of the run out.
//
// Read and simplify; draw the images; weigh every filter and bit width; decide (plan/decide.h);
// cut, round, calibrate (apply/); write; read back and judge on images that took no part. The size
// predicted before the search is the size written, to the byte. Nothing is written unless
// everything went well.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/pipeline/images.h"
#include "adiabat/pipeline/select.h"

namespace adiabat::pipeline {

struct CompressOptions {
    std::string model;
    std::string output;
    std::optional<std::string> run_file;  // run.json beside the output where not given
    DataOptions data;
    std::string budget;  // plan/budget.h
    Controls controls;
    int64_t images = 1024;
    double judging_share = 0.5;  // of the images: measure only, decide nothing
    onnx::Storage weights = onnx::Storage::kPlanes;
    double beta = 1;  // of the l1 problem
    int64_t sweeps = 200;
    int replicas = 8;
    uint64_t seed = 0;
    int threads = 0;
    std::vector<std::string> command;  // for the document
};

// Returns the document that was written (schema: doc/run-json.md). The same options give the same
// file.
Json compress(const CompressOptions& options, StopToken stop = {},
              ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
