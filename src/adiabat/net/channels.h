// SPDX-License-Identifier: Apache-2.0
#pragma once

// Channel groups: which output channels of a layer can be cut, and which layers then lose inputs.
//
// A convolution's channels form a group that can be cut where everything that reads them works
// channel by channel (activations, pooling) until other convolutions read them as inputs: the inner
// channels of a residual block. Channels that meet others (an Add across blocks, a concatenation),
// leave the network, or pass an operator without a rule here are frozen, with the reason. O(edges).

#include <string>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"

namespace adiabat::net {

struct ChannelGroup {
    int producer = -1;         // index among the layers
    std::vector<int> readers;  // indices of the layers that lose inputs, ascending
    int64_t channels = 0;
    std::string frozen;  // why it cannot be cut; empty where it can

    bool can_be_cut() const { return frozen.empty(); }
};

// One group a layer, in the layers' order.
std::vector<ChannelGroup> find_channel_groups(const Graph& graph, const std::vector<Layer>& layers);

}  // namespace adiabat::net
