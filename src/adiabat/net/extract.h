// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cuts a piece out of a graph: what computes some values from others. O(edges).

#include <span>

#include "adiabat/net/graph.h"

namespace adiabat::net {

struct Piece {
    Graph graph;
    std::vector<ValueId>
        id_of;  // of the whole graph's values in the piece, kNoValue where not in it
};

// The piece whose inputs are `from` and whose outputs are `to`: the nodes that `to` needs, cut at
// `from`, with their constants. Throws InternalError where `to` needs an input of the network not
// among `from`.
Piece extract(const Graph& graph, std::span<const ValueId> from, std::span<const ValueId> to);

}  // namespace adiabat::net
