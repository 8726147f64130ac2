// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sensing by gradients: every candidate of every layer at once, from one backward pass a direction.
//
// First the layers are probed (layer_probe.h): one walk through the network with a few hundred
// images held, whose second moments hardly change with more. Then images are streamed batch by
// batch: with G_j the gradient of direction j at a layer's output, a cut's effect on an image is
// <G_j, -W_S e>, a width's <G_j, (W_b - W) x>, and both come from the slopes of the weights where
// positions are many (weight_slopes.h), else from a few products (probe_products.h). Groups that
// several layers read: the sum over them. Groups that something else than a probed layer reads are
// taken to vanish where they are made: -<G_j, y - mean y>, nothing standing in. Coding an
// activation: <G_j, the rounding error of its values> (activation_codes.h). Branches are dropped
// whole (branch_runs.h).
//
// Cost, for all layers and an image: forward + directions x (backward + F D P) + (D^2 + widths F D)
// P; a run of the rest of the network a branch. Finished layers and batches go to the store, and
// are not done again by whoever calls with the same store. The result is the same for any batch
// size but for the order of float sums.

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/base/store.h"
#include "adiabat/net/engine.h"
#include "adiabat/sense/candidates.h"
#include "adiabat/sense/effects.h"
#include "adiabat/sense/probing.h"

namespace adiabat::sense {

struct GradientOptions {
    DirectionOptions directions;
    int64_t images = 0;                         // in all
    int64_t probe_images = 512;                 // that second moments are taken of, at most
    uint64_t memory_bytes = uint64_t{1} << 29;  // for a batch's activations and gradients
    int threads = 0;
    recon::RangeRule ranges = {};  // of activations that may be coded
};

// How the layers are probed for them.
ProbingOptions probing_options(const GradientOptions& options);

// Images a batch, from the shapes of the network's layers.
int64_t batch_size(const Candidates& candidates, const GradientOptions& options, int directions);

// The batch that the store's pieces were made with, so that a run with other threads finds them; if
// there are none yet, `batch`, which is noted.
int64_t stored_batch(Store& store, const std::string& name, int64_t batch);

// Throws Interrupted when stopped: what has been finished is in the store. InputError where
// activations are not finite.
Effects sense_by_gradients(const Candidates& candidates, net::Engine& engine,
                           const ImageBatches& images, const GradientOptions& options, Store& store,
                           StopToken stop = {}, ProgressSink& progress = no_progress());

}  // namespace adiabat::sense
