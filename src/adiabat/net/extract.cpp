// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/extract.h"

#include <algorithm>

namespace adiabat::net {

Piece extract(const Graph& graph, std::span<const ValueId> from, std::span<const ValueId> to) {
    const auto is_from = [&](ValueId id) {
        return std::find(from.begin(), from.end(), id) != from.end();
    };
    std::vector<bool> needed(graph.values.size(), false);
    for (ValueId id : to) needed[static_cast<size_t>(id)] = true;
    std::vector<bool> keep(graph.nodes.size(), false);
    for (size_t n = graph.nodes.size(); n-- > 0;) {
        const Node& node = graph.nodes[n];
        keep[n] = std::any_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
            return id != kNoValue && needed[static_cast<size_t>(id)] && !is_from(id);
        });
        if (!keep[n]) continue;
        for (ValueId id : node.inputs) {
            if (id != kNoValue) needed[static_cast<size_t>(id)] = true;
        }
        for (ValueId id : node.captured) needed[static_cast<size_t>(id)] = true;
    }

    Piece piece;
    piece.graph.name = graph.name;
    piece.graph.opset = graph.opset;
    piece.graph.ir_version = graph.ir_version;
    piece.graph.notes.domains = graph.notes.domains;
    piece.id_of.assign(graph.values.size(), kNoValue);
    const auto take = [&](ValueId id) {
        if (id == kNoValue) return kNoValue;
        ValueId& taken = piece.id_of[static_cast<size_t>(id)];
        if (taken == kNoValue) {
            piece.graph.values.push_back(graph.value(id));
            taken = static_cast<ValueId>(piece.graph.values.size() - 1);
        }
        return taken;
    };
    for (ValueId id : from) piece.graph.inputs.push_back(take(id));
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        if (!keep[n]) continue;
        Node node = graph.nodes[n];
        for (ValueId& id : node.inputs) id = take(id);
        for (ValueId& id : node.captured) id = take(id);
        for (ValueId& id : node.outputs) id = take(id);
        piece.graph.nodes.push_back(std::move(node));
    }
    for (ValueId id : to) piece.graph.outputs.push_back(take(id));
    check_graph(piece.graph);
    return piece;
}

}  // namespace adiabat::net
