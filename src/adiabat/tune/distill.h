// SPDX-License-Identifier: Apache-2.0
#pragma once

// Distillation: a written network trained to give what the original gives, its quantizers in the
// loop.
//
// An epoch goes through all training images once, in an order of its own, each shifted and mirrored
// at random; the teacher sees what the student sees. Both are functions of (seed, epoch, image)
// alone, and sums do not depend on the number of threads: the same run gives the same bits. After
// each epoch the student is rounded as the file has it and judged on held-out images by the integer
// kernels; the best epoch is kept, the start counts as one, and where `patience` epochs in a row
// have not been better it ends. So it does where a loss or gradient is not finite, or an epoch's
// mean loss or the held-out one is far above both that of the start and that of a network that
// knows nothing.
//
// State is kept in the store after each epoch, whole or not at all: a run that was killed goes on
// behind its last epoch and ends in the same bits. A stop leaves the best so far. Memory: one
// batch, and of the parameters values, two means of gradients and the best. O(epochs x images)
// passes.
//
// Source: objective.h, student.h, descent.h, augment.h.

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/base/store.h"
#include "adiabat/net/engine.h"
#include "adiabat/tune/augment.h"
#include "adiabat/tune/descent.h"
#include "adiabat/tune/objective.h"
#include "adiabat/tune/student.h"

namespace adiabat::tune {

struct DistillOptions {
    int epochs = 8;
    int64_t batch = 128;
    int patience = 0;  // 0: never ends early
    uint64_t seed = 0;
    DescentOptions descent;
    ObjectiveOptions objective;
    Augmentation augmentation;
};

// Rows of the data as the network takes them.
struct Batch {
    net::Tensor pixels;           // [N, ..], float
    std::vector<int32_t> labels;  // N, or empty
};
using ReadRows = std::function<Batch(std::span<const int64_t> rows)>;

struct DistillTask {
    net::Engine& engine;
    net::EngineOptions engine_options;
    const Student& student;
    const net::Graph& teacher;
    ReadRows read;
    std::span<const int64_t> training, held_out;  // rows, disjoint
    std::vector<float> fill;                      // a value a channel (augment.h)
    Store& store;
    std::string checkpoint;  // name of the piece; content of another name does not count
};

// What the rounded student does on the held-out images. Of the only output where that is scores:
// the rest is 0 otherwise.
struct HeldOut {
    double loss = 0;        // the objective
    double divergence = 0;  // KL(teacher || student) in nats
    double agreement = 0;   // share of equal answers
    double top1 = 0;        // where there are labels
};

struct Epoch {
    double loss = 0;  // mean over the training images as they were seen
    double norm = 0;  // mean norm of the gradients, before they were clipped
    double rate = 0;  // at its end
    double seconds = 0;
    HeldOut held_out;
};

enum class Ending { kDone, kEarly, kDiverged, kInterrupted };
std::string_view name_of(Ending ending);

struct Distilled {
    std::vector<Block> best;
    HeldOut start;
    std::vector<Epoch> epochs;  // those that were finished
    int kept = 0;               // which of them is the best, from 1; 0: the start
    Ending ending = Ending::kDone;
    int resumed_at = 0;  // epochs that came from the store
    double knowing_nothing = 0;

    const HeldOut& best_held_out() const {
        return kept == 0 ? start : epochs[static_cast<size_t>(kept - 1)].held_out;
    }
};

// Throws InputError where student and teacher put out different things, or labels have weight and
// there are none.
Distilled distill(const DistillTask& task, const DistillOptions& options, StopToken stop = {},
                  ProgressSink& progress = no_progress());

}  // namespace adiabat::tune
