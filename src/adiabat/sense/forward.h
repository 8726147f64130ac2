// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sensing by running the network: each candidate is applied alone, compensated or rounded as its
// layer's probe says, and the network run on from there. The check of what gradients say, and its
// twin in tests; slow: candidates x the rest of the network.
//
// What stands before the first layer that a candidate touches is computed once for all of that
// layer. With `step` below 1 the change is scaled down and the effect scaled up: towards 0 that is
// the derivative.

#include "adiabat/sense/gradient.h"

namespace adiabat::sense {

struct ForwardOptions {
    GradientOptions common;
    double step = 1;
};

// As sense_by_gradients; shares of single filters, and groups that something else than a probed
// layer reads, are not seen and are 0.
Effects sense_by_forward(const Candidates& candidates, net::Engine& engine,
                         const ImageBatches& images, const ForwardOptions& options, Store& store,
                         StopToken stop = {}, ProgressSink& progress = no_progress());

}  // namespace adiabat::sense
