// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/prepare.h"

#include <set>

#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::apply {

namespace {

using net::Graph;
using net::Node;
using net::Tensor;
using net::ValueId;

ValueId add_ints(Graph& graph, const std::string& wanted, const std::vector<int64_t>& values) {
    std::string name = wanted;
    for (int suffix = 2; graph.find(name) != net::kNoValue; ++suffix) {
        name = wanted + "_" + std::to_string(suffix);
    }
    return graph.add_constant(name,
                              Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values));
}

// A Split that cuts along labelled channels without saying how many go where.
void name_parts(Graph& graph, const net::Coupling& coupling, Node& node) {
    const auto& shape = graph.value(node.inputs[0]).shape;
    if (!shape || node.has("split") || node.input(1) != net::kNoValue) return;
    const auto axis = net::normal_axis(node.int_or("axis", 0), std::ssize(*shape));
    if (!axis || !coupling.labels_of(node.inputs[0], *axis)) return;
    std::vector<int64_t> parts;
    for (ValueId id : node.outputs) {
        parts.push_back((*graph.value(id).shape)[static_cast<size_t>(*axis)]);
    }
    node.attributes.erase("num_outputs");
    if (graph.opset < 13) {
        node.attributes["split"] = std::move(parts);
    } else {
        node.inputs.resize(2, net::kNoValue);
        node.inputs[1] = add_ints(graph, graph.value(node.outputs[0]).name + "_parts", parts);
    }
}

}  // namespace

void prepare_for_cutting(Graph& graph, const net::Coupling& coupling) {
    std::set<int> moved;
    for (const net::Movement& movement : coupling.movements) {
        if (!coupling.labels_of(movement.source, movement.axis)) continue;
        moved.insert(movement.node);
        Node& node = graph.nodes[static_cast<size_t>(movement.node)];
        const ValueId output = node.outputs[0];
        const ValueId indices =
            add_ints(graph, graph.value(output).name + "_order", movement.positions);
        node = {"Gather", "", node.name, {movement.source, indices}, {output}, {}};
        node.attributes["axis"] = int64_t{movement.axis};
    }
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        Node& node = graph.nodes[n];
        if (node.op == "Split" && node.domain.empty()) name_parts(graph, coupling, node);
    }
    net::remove_dead(graph);
}

}  // namespace adiabat::apply
