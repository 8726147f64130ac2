// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan that effects are sensed around: the network as the plan leaves it, and what changes with
// each candidate from there. Groups that it cuts are candidates to come back, widths are those to
// change to.
//
// The network keeps its shape. In each layer, the columns of cut groups are zero, the others fitted
// to what the original gave, rounded to the plan's bits and the bias re-centred, as the plan will
// be carried out (apply/calibrate.h) but for activations and residual streams; filters that are cut
// still give what they can, for whoever would read them again. Where a group's readers cannot be
// fitted (probing.h: direct), its filters give zeros, and its effects are 0: nothing is gained by
// bringing it back. Cost: that of probing (layer_probe.h) and a second walk, through the original.

#include <cstdint>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"

namespace adiabat::sense {

struct Incumbent {
    std::vector<uint8_t> cut;  // one a group of the coupling, 1 where it is cut
    std::vector<int> bits;     // one a tensor (candidates.h), of its widths
};

// The graph with a bias of its own, zero, for every layer that has none: the values and nodes of
// the graph keep their numbers.
net::Graph with_biases(net::Graph graph, const std::vector<net::Layer>& layers);

}  // namespace adiabat::sense
