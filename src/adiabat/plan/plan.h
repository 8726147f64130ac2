// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan: which channels go and how many bits each layer keeps; and the network that plans are made
// for.

#include <cstdint>
#include <vector>

#include "adiabat/net/channels.h"
#include "adiabat/net/cost.h"
#include "adiabat/net/layers.h"

namespace adiabat::plan {

inline constexpr int kMinBits = 2;
inline constexpr int kMaxBits = 8;
// A group keeps at least so many channels.
inline constexpr int64_t kLeastKept = 1;

struct Plan {
    std::vector<int> bits;  // one a layer, kMinBits to kMaxBits
    std::vector<std::vector<uint8_t>>
        cut;  // one a group, 1 where a channel goes; empty where frozen

    bool operator==(const Plan&) const = default;
};

// What a plan decides on: the layers of a graph and their channel groups (one a layer, same order).
struct Network {
    std::vector<net::Layer> layers;
    std::vector<net::ChannelGroup> groups;

    // The group whose channels layer `k` reads, -1 where they are frozen.
    int group_read_by(size_t k) const { return input_group[k]; }
    std::vector<int> input_group;
};

Network describe_network(const net::Graph& graph);

// Nothing cut, `bits` everywhere.
Plan uniform_plan(const Network& network, int bits);

int64_t cut_channels(const Plan& plan, size_t group);

// Every layer as the plan leaves it.
std::vector<net::LayerState> states(const Network& network, const Plan& plan);

// Throws InternalError unless the plan fits the network and every group keeps kLeastKept channels.
void check_plan(const Network& network, const Plan& plan);

}  // namespace adiabat::plan
