// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/prepare.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::apply {

namespace {

using net::Graph;
using net::Node;
using net::Tensor;
using net::ValueId;

ValueId add_ints(Graph& graph, net::UnusedNames& names, const std::string& wanted,
                 const std::vector<int64_t>& values) {
    return graph.add_constant(names.take(wanted),
                              Tensor::of<int64_t>({std::ssize(values)}, values));
}

// A Split that cuts along labelled channels without saying how many go where.
void name_parts(Graph& graph, const net::Coupling& coupling, net::UnusedNames& names, Node& node) {
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
        node.inputs[1] =
            add_ints(graph, names, graph.value(node.outputs[0]).name + "_parts", parts);
    }
}

bool has_labels(const Graph& graph, const net::Coupling& coupling, ValueId id) {
    if (id == net::kNoValue) return false;
    const auto& shape = graph.value(id).shape;
    for (int64_t axis = 0; shape && axis < std::ssize(*shape); ++axis) {
        if (coupling.labels_of(id, axis)) return true;
    }
    return false;
}

// Whether a bound of a slice moves where channels are cut: the start and the end of an axis do not.
bool bound_moves(const Graph& graph, const net::Coupling& coupling, const Node& node, size_t k) {
    const Tensor *bounds = graph.constant(node.input(k)), *axes = graph.constant(node.input(3));
    if (!bounds) return false;
    const net::Shape& shape = *graph.value(node.inputs[0]).shape;
    const auto values = bounds->to_ints();
    for (size_t n = 0; n < values.size(); ++n) {
        const auto axis = net::normal_axis(axes ? axes->to_ints()[n] : static_cast<int64_t>(n),
                                           std::ssize(shape));
        if (!axis || !coupling.labels_of(node.inputs[0], *axis)) continue;
        const int64_t extent = shape[static_cast<size_t>(*axis)];
        if (k == 1 ? values[n] != 0 : values[n] < extent) return true;
    }
    return false;
}

// Input `k`, if cutting may give it another value: a constant that other nodes read as well becomes
// the node's own.
void own_constant(Graph& graph, const net::Uses& uses, net::UnusedNames& names, Node& node,
                  size_t k) {
    const ValueId id = node.input(k);
    const Tensor* tensor = graph.constant(id);
    if (!tensor || uses.readers(id).size() < 2) return;
    node.inputs[k] = graph.add_constant(
        names.take(graph.value(node.outputs[0]).name + "_" + graph.value(id).name), *tensor);
}

void own_constants(Graph& graph, const net::Coupling& coupling, const net::Uses& uses,
                   net::UnusedNames& names, Node& node) {
    const bool touched = has_labels(graph, coupling, node.input(0)) ||
                         std::any_of(node.outputs.begin(), node.outputs.end(),
                                     [&](ValueId id) { return has_labels(graph, coupling, id); });
    if (!touched) return;
    if (node.op == "Slice") {
        for (size_t k : {size_t{1}, size_t{2}}) {
            if (bound_moves(graph, coupling, node, k)) own_constant(graph, uses, names, node, k);
        }
    }
    for (const auto& [op, k] : {std::pair<std::string_view, size_t>{"Reshape", 1},
                                {"Expand", 1},
                                {"Split", 1},
                                {"Gather", 1},
                                {"Pad", 1},
                                {"Tile", 1},
                                {"Resize", 3}}) {
        if (node.op == op) own_constant(graph, uses, names, node, k);
    }
}

}  // namespace

void prepare_for_cutting(Graph& graph, const net::Coupling& coupling) {
    net::UnusedNames names(graph);
    std::set<int> moved;
    for (const net::Movement& movement : coupling.movements) {
        if (!coupling.labels_of(movement.source, movement.axis)) continue;
        moved.insert(movement.node);
        Node& node = graph.nodes[static_cast<size_t>(movement.node)];
        const ValueId output = node.outputs[0];
        const ValueId indices =
            add_ints(graph, names, graph.value(output).name + "_order", movement.positions);
        node = {"Gather", "", node.name, {movement.source, indices}, {output}, {}};
        node.attributes["axis"] = int64_t{movement.axis};
    }
    const net::Uses uses(graph);
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        Node& node = graph.nodes[n];
        if (!node.domain.empty() || moved.contains(static_cast<int>(n))) continue;
        if (node.input(0) == net::kNoValue) continue;
        own_constants(graph, coupling, uses, names, node);
        if (node.op == "Split") name_parts(graph, coupling, names, node);
    }
    net::remove_dead(graph);
}

}  // namespace adiabat::apply
