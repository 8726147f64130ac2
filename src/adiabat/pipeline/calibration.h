// SPDX-License-Identifier: Apache-2.0
#pragma once

// The images of a run: drawn once by the seed, divided once. Some sense and calibrate; others,
// disjoint, judge: fits of the Hamiltonian, divergences, choices among plans.

#include <cstdint>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/pipeline/images.h"
#include "adiabat/pipeline/subject.h"

namespace adiabat::pipeline {

struct DrawOptions {
    DataOptions data;
    int64_t images = 1024;
    double judging_share = 0.5;
    uint64_t seed = 0;
};

struct Calibration {
    Images sensing, judging;
    std::vector<int64_t> judging_rows;  // of the source, ascending
    Json document;                      // of the run's "data"
};

Calibration read_calibration(const Subject& subject, const DrawOptions& options, StopToken stop,
                             ProgressSink& progress);

}  // namespace adiabat::pipeline
