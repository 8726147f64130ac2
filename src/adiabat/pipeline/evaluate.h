// SPDX-License-Identifier: Apache-2.0
#pragma once

// `eval`: a network on a data set: accuracy, speed, and how it differs from a reference network.

#include <optional>
#include <string>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/pipeline/images.h"

namespace adiabat::pipeline {

struct EvaluateOptions {
    std::string model;
    std::optional<std::string> reference;
    DataOptions data;
    std::optional<int64_t> images;  // the first so many; all where not given
    int64_t batch = 250;
    int threads = 0;
};

// Reads the test part of a divided set, a few hundred images at a time: memory is for them and for
// all outputs. Schema: doc/run-json.md.
Json evaluate(const EvaluateOptions& options, StopToken stop = {},
              ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
