// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the `l1` problem knows of a network: its weights alone, no images.
//
//   filter_mean  |w_i|_1 / N_i of each filter (what cutting it loses)
//   rounding     mean squared rounding error of the layer at each bit width, scales searched
//   power        mean square of the layer's weights, by which `rounding` is normalized
//
// O(weights x bit widths), on all threads.
//
// Source of the filter norm: H. Li et al., "Pruning filters for efficient ConvNets" (ICLR 2017).

#include <array>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"
#include "adiabat/recon/rounding.h"

namespace adiabat::sense {

struct WeightEffects {
    std::vector<double> filter_mean;                     // one a filter
    std::array<double, recon::kMaxBits + 1> rounding{};  // indexed by bits, kMinBits to kMaxBits
    double power = 0;
};

// One entry a layer, in order. Threads: 0 for all cores. Throws Interrupted when stopped.
std::vector<WeightEffects> weight_effects(const net::Graph& graph,
                                          const std::vector<net::Layer>& layers, int threads,
                                          StopToken stop = {});

}  // namespace adiabat::sense
