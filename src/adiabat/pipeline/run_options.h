// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every run that decides is told, whatever it makes of the decision; and the same from a
// document of such a run, so that another verb can do again what it did.

#include <cstdint>
#include <string>

#include "adiabat/base/json.h"
#include "adiabat/onnx/self_decoding.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/deciding_options.h"
#include "adiabat/pipeline/images.h"
#include "adiabat/pipeline/select.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/recon/range_rule.h"

namespace adiabat::pipeline {

struct RunOptions {
    std::string model;
    DataOptions data;
    Controls controls;
    int64_t images = 1024;
    double judging_share = 0.5;  // of the images: judge plans, measure no effects
    onnx::Storage weights = onnx::Storage::kPlanes;
    apply::Rounding rounding = apply::Rounding::kQubo;
    recon::RangeRule ranges;   // of activations
    DecidingOptions deciding;  // its seeds and threads are those below
    uint64_t seed = 0;
    int threads = 0;

    // Where nothing is sensed (l1) branches stay, and activations are not decided: else throws
    // InputError.
    SubjectOptions of_subject() const;
    DrawOptions of_draw() const { return {data, images, judging_share, seed}; }
    // With the seed and the threads.
    DecidingOptions of_deciding() const;
};

// The members of a document's "options".
Json to_json(const RunOptions& options);

// From a document's "model", "data" and "options"; threads are not taken. Throws InputError that
// begins with `where` for what is missing or none.
RunOptions run_options_from(const Json& document, const std::string& where);

// Throws InputError where a file does not hold one JSON object.
Json read_document(const std::string& path);

}  // namespace adiabat::pipeline
