// SPDX-License-Identifier: Apache-2.0
#pragma once

// The form of a graph in which every cut leaves the same nodes, so that the size of what will be
// written is known before anything is cut (file_size.h): movements are Gathers from the start, a
// Split along channels names its parts, and what is rewritten (bounds, sizes, shapes) is shared by
// no two nodes. Computes the same. O(nodes).

#include "adiabat/net/coupling.h"
#include "adiabat/net/graph.h"

namespace adiabat::apply {

// `coupling` is that of the graph; it does not hold for the result.
void prepare_for_cutting(net::Graph& graph, const net::Coupling& coupling);

}  // namespace adiabat::apply
