// SPDX-License-Identifier: Apache-2.0
#pragma once

// Effects sensed for a subject, in a cache that outlives the run.
//
// The cache is a folder named by the content of everything the effects depend on: model, images,
// their preprocessing, what may be cut and which widths there are, the method's options, the
// version. Whoever asks for the same again gets it at once, and a run that was killed goes on after
// the last finished batch.

#include <filesystem>

#include "adiabat/base/json.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/deciding_options.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/sense/candidates.h"
#include "adiabat/sense/effects.h"

namespace adiabat::pipeline {

struct Sensed {
    sense::Effects effects;
    Json document;  // of the run's "sensing"
};

// Of the network as it is, or around a plan (sense/incumbent.h).
Sensed sense_effects(const Subject& subject, const Calibration& images,
                     const SensingOptions& options, StopToken stop, ProgressSink& progress,
                     const plan::Plan* incumbent = nullptr);

// $XDG_CACHE_HOME/adiabat, else ~/.cache/adiabat; empty where neither is known.
std::filesystem::path default_cache();

}  // namespace adiabat::pipeline
