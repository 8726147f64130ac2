// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/incumbent.h"

#include <fmt/format.h>

namespace adiabat::sense {

net::Graph with_biases(net::Graph graph, const std::vector<net::Layer>& layers) {
    for (const net::Layer& layer : layers) {
        net::Node& node = graph.nodes[static_cast<size_t>(layer.node)];
        if (node.input(2) != net::kNoValue) continue;
        node.inputs.resize(2);
        node.inputs.push_back(graph.add_constant(fmt::format("bias of {}", layer.name),
                                                 net::Tensor(net::DType::kFloat, {layer.filters})));
        graph.value(node.inputs[2]).type = net::DType::kFloat;
    }
    return graph;
}

}  // namespace adiabat::sense
