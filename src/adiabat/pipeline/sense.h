// SPDX-License-Identifier: Apache-2.0
#pragma once

// `sense`: what each cut and each width does to a network's outputs, into the cache and a document.

#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/pipeline/deciding_options.h"
#include "adiabat/pipeline/images.h"
#include "adiabat/pipeline/select.h"

namespace adiabat::pipeline {

struct SenseOptions {
    std::string model;
    DataOptions data;
    Controls controls;
    onnx::Storage weights = onnx::Storage::kPlanes;  // decides the opset
    int64_t images = 1024;
    double judging_share = 0.5;  // left out, as compress leaves them out
    SensingOptions sensing;
    bool compare = false;  // by the other method too, and how the two agree
    uint64_t seed = 0;
    int threads = 0;
    std::vector<std::string> command;
};

// {"sensing": .., "layers": [{"name", "widths": [{"bits", "effect"}], "cuts": [{"filter", "group",
// "effect"}]}], "comparison": ..}: effects are |a|^2 (sense/effects.h).
Json sense(const SenseOptions& options, StopToken stop = {}, ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
