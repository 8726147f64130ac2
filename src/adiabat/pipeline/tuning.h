// SPDX-License-Identifier: Apache-2.0
#pragma once

// A written file distilled from the original network: what `finetune` and `compress --finetune`
// have in common.
//
// The bytes of the file go in and come out again, trained (tune/distill.h), of the same structure
// and size; where no epoch was better than the start, and where there was none, they come out as
// they were. While it runs a checkpoint lies beside the output, or in a folder that is named, under
// a name that digests file, teacher, images and options: the same run finds it again.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/data/dataset.h"
#include "adiabat/data/split.h"
#include "adiabat/pipeline/images.h"
#include "adiabat/pipeline/model.h"
#include "adiabat/tune/distill.h"

namespace adiabat::pipeline {

struct TuningOptions {
    tune::DistillOptions distill;  // its seed is that of the run
    tune::StudentOptions student;
    std::optional<int> pad;  // pixels of random shifts; an eighth of the shorter side if not given
    std::string cache;       // folder of the checkpoint; empty: that of the output
};
Json to_json(const TuningOptions& options);

struct TuningTask {
    std::span<const uint8_t> file;
    std::string name;      // of the file, for messages
    const Model& teacher;  // computes in float
    net::Engine& engine;
    const data::Source& source;
    const data::Preprocess& preprocess;
    std::span<const int64_t> training, held_out;  // rows of the source, disjoint
    std::filesystem::path output;                 // beside which the checkpoint lies
    int threads = 0;
};

struct Tuned {
    std::vector<uint8_t> file;
    tune::Ending ending = tune::Ending::kDone;
    std::filesystem::path checkpoint;
    Json document;  // of the run's "training"

    // When what came of it has been written: unless interrupted, the checkpoint has served.
    void forget_checkpoint() const;
};

// Rows 0 .. available - 1 that are not held out, ascending: all, or as many as are wanted, drawn by
// the seed. Those that `broken` finds, where it is given, are left out. Throws InputError where
// none is left.
std::vector<int64_t> training_rows(int64_t available, std::span<const int64_t> held_out,
                                   std::optional<int64_t> wanted, uint64_t seed,
                                   const data::FindBroken& broken = nullptr);

// Says how it ended. Throws InputError where there is nothing to train, the teacher puts out
// something else, or the checkpoint cannot be written; Interrupted before the start was judged.
Tuned tune_file(const TuningTask& task, const TuningOptions& options, StopToken stop = {},
                ProgressSink& progress = no_progress());

}  // namespace adiabat::pipeline
