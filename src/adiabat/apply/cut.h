// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cuts channels out of a float graph: the filters of the layer that makes them, its biases, and the
// input slices of the layers that read them. O(weights).

#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/plan/plan.h"

namespace adiabat::apply {

// Channels of a group that stay, ascending; of a frozen group all.
std::vector<int64_t> kept_channels(const plan::Network& network, const plan::Plan& plan,
                                   size_t group);

// The graph without the plan's cut channels. Values and nodes keep their numbers; shapes are
// inferred anew.
net::Graph cut_channels(const net::Graph& graph, const plan::Network& network,
                        const plan::Plan& plan);

}  // namespace adiabat::apply
