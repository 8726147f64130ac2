// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/cut.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "adiabat/apply/cut_rewrites.h"
#include "adiabat/base/errors.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::apply {

namespace {

using net::Graph;
using net::kNoValue;
using net::Node;
using net::Tensor;
using net::ValueId;

void cut_parameters(Graph& graph, const net::Coupling& coupling, std::span<const uint8_t> cut) {
    for (size_t id = 0; id < graph.values.size() && id < coupling.axes.size(); ++id) {
        net::Value& value = graph.values[id];
        if (!value.constant) continue;
        for (size_t axis = 0; axis < coupling.axes[id].size(); ++axis) {
            const auto* labels =
                coupling.labels_of(static_cast<ValueId>(id), static_cast<int64_t>(axis));
            if (!labels) continue;
            const auto kept = kept_indices(*labels, cut);
            if (kept.size() == labels->groups.size()) continue;
            if (kept.empty()) {
                throw InputError("{}: all {} indices of axis {} would be cut; at least one stays",
                                 value.name, labels->groups.size(), axis);
            }
            value.constant = std::make_shared<const Tensor>(take(*value.constant, axis, kept));
            value.shape = value.constant->shape;
        }
    }
}

// The node gathers what is left of its source where channels of that are cut.
void replace_movement(CutScope& scope, const net::Movement& movement, Node& node) {
    const ValueId output = node.outputs[0];
    if (!scope.is_cut(movement.source, movement.axis)) return;
    std::vector<int64_t> indices;
    for (int64_t k : scope.kept(output, movement.axis)) {
        indices.push_back(scope.left_below(movement.source, movement.axis,
                                           movement.positions[static_cast<size_t>(k)]));
    }
    Node gather{"Gather", "", node.name, {movement.source}, {output}, {}};
    gather.attributes["axis"] = int64_t{movement.axis};
    scope.set_ints(gather, "indices", 1, std::move(indices));
    node = std::move(gather);
}

// Whatever reads what the branch has been added to reads its skip path, which may have been that of
// a branch that has gone before.
void drop_branch(Graph& graph, const net::Branch& branch) {
    const ValueId skip = net::skip_of(graph, branch);
    Node& last = graph.nodes[static_cast<size_t>(branch.last)];
    const ValueId sum = last.outputs[0];
    if (graph.is_output(sum)) {
        last = {"Identity", "", last.name, {skip}, {sum}, {}};
        return;
    }
    for (Node& node : graph.nodes) {
        std::replace(node.inputs.begin(), node.inputs.end(), sum, skip);
    }
}

// Removes nodes nobody needs; values keep their numbers.
void remove_idle_nodes(Graph& graph) {
    std::vector<uint8_t> needed(graph.values.size(), 0);
    for (ValueId id : graph.outputs) needed[static_cast<size_t>(id)] = 1;
    std::vector<Node> kept;
    for (size_t n = graph.nodes.size(); n-- > 0;) {
        Node& node = graph.nodes[n];
        const bool used = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
            return id != kNoValue && needed[static_cast<size_t>(id)];
        });
        if (!used) continue;
        for (ValueId id : node.inputs) {
            if (id != kNoValue) needed[static_cast<size_t>(id)] = 1;
        }
        kept.push_back(std::move(node));
    }
    std::reverse(kept.begin(), kept.end());
    graph.nodes = std::move(kept);
}

}  // namespace

Tensor take(const Tensor& tensor, size_t axis, const std::vector<int64_t>& kept) {
    net::Shape shape = tensor.shape;
    shape[axis] = static_cast<int64_t>(kept.size());
    Tensor result(tensor.type, shape);
    int64_t outer = 1;
    size_t inner = static_cast<size_t>(net::bits_of(tensor.type)) / 8;
    ADIABAT_CHECK(inner > 0, "a parameter of {} is cut", net::name_of(tensor.type));
    for (size_t k = 0; k < axis; ++k) outer *= tensor.shape[k];
    for (size_t k = axis + 1; k < shape.size(); ++k) inner *= static_cast<size_t>(shape[k]);
    uint8_t* to = result.bytes.data();
    for (int64_t o = 0; o < outer; ++o) {
        for (int64_t channel : kept) {
            const auto from = static_cast<size_t>(o * tensor.shape[axis] + channel) * inner;
            std::memcpy(to, tensor.bytes.data() + from, inner);
            to += inner;
        }
    }
    return result;
}

std::vector<int64_t> kept_indices(const net::AxisLabels& labels, std::span<const uint8_t> cut) {
    std::vector<int64_t> kept;
    for (size_t k = 0; k < labels.groups.size(); ++k) {
        const net::GroupId group = labels.groups[k];
        if (group == net::kStays || !cut[static_cast<size_t>(group)]) {
            kept.push_back(static_cast<int64_t>(k));
        }
    }
    return kept;
}

net::Graph cut_groups(const Graph& graph, const net::Coupling& coupling,
                      std::span<const uint8_t> cut, std::span<const net::Branch> dropped) {
    ADIABAT_CHECK(cut.size() == coupling.groups.size(), "{} flags for {} groups", cut.size(),
                  coupling.groups.size());
    Graph result = graph;
    CutScope scope(graph, result, coupling, cut);
    std::map<int, const net::Movement*> movements;
    for (const net::Movement& movement : coupling.movements) movements[movement.node] = &movement;
    for (size_t n = 0; n < result.nodes.size(); ++n) {
        Node node = std::move(result.nodes[n]);
        const auto moved = movements.find(static_cast<int>(n));
        if (moved != movements.end()) {
            replace_movement(scope, *moved->second, node);
        } else {
            rewrite_node(scope, node);
        }
        result.nodes[n] = std::move(node);
    }
    cut_parameters(result, coupling, cut);
    for (const net::Branch& branch : dropped) drop_branch(result, branch);
    remove_idle_nodes(result);
    for (const Node& node : result.nodes) {
        for (ValueId id : node.outputs) {
            if (id != kNoValue) result.value(id).shape.reset();
        }
    }
    net::infer_shapes(result);
    return result;
}

}  // namespace adiabat::apply
