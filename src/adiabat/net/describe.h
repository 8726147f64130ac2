// SPDX-License-Identifier: Apache-2.0
#pragma once

// How messages name a node.

#include <string>

#include "adiabat/net/graph.h"

namespace adiabat::net {

// "Conv /conv1/Conv"; "Conv (writes /conv1/Conv_output_0)" where the node has no name.
std::string describe(const Graph& graph, const Node& node);

}  // namespace adiabat::net
