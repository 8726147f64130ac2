// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/describe.h"

namespace adiabat::net {

std::string describe(const Graph& graph, const Node& node) {
    if (!node.name.empty()) return node.op + " " + node.name;
    for (ValueId id : node.outputs) {
        if (id != kNoValue) return node.op + " (writes " + graph.value(id).name + ")";
    }
    return node.op;
}

}  // namespace adiabat::net
