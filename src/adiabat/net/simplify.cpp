// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/simplify.h"

#include <algorithm>
#include <unordered_set>

#include "adiabat/net/fold.h"
#include "adiabat/net/fuse.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {

namespace {

bool passes_through(const Graph& graph, const Node& node) {
    if (!node.domain.empty() || node.inputs.empty() || node.inputs[0] == kNoValue) return false;
    if (node.op == "Identity") return true;
    if (node.op != "Dropout") return false;
    const bool has_mask = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
    if (has_mask || (graph.opset < 7 && node.int_or("is_test", 0) == 0)) return false;
    // Since opset 12 training is an input; one that is computed could be true.
    const ValueId training = node.input(2);
    if (training == kNoValue) return true;
    const Tensor* constant = graph.constant(training);
    return constant && std::all_of(constant->bytes.begin(), constant->bytes.end(),
                                   [](uint8_t byte) { return byte == 0; });
}

}  // namespace

int bypass_identities(Graph& graph) {
    std::unordered_set<ValueId> outputs(graph.outputs.begin(), graph.outputs.end());
    std::unordered_set<ValueId> inputs(graph.inputs.begin(), graph.inputs.end());
    // What a value is called now; a value is renamed to one that later nodes still know by its own
    // name.
    std::vector<ValueId> now(graph.values.size());
    for (size_t v = 0; v < now.size(); ++v) now[v] = static_cast<ValueId>(v);
    const auto current = [&](ValueId id) {
        return id == kNoValue ? id : now[static_cast<size_t>(id)];
    };

    std::vector<Node> kept;
    int bypassed = 0;
    for (Node& node : graph.nodes) {
        for (ValueId& id : node.inputs) id = current(id);
        if (!passes_through(graph, node) || node.outputs.empty() || node.outputs[0] == kNoValue) {
            kept.push_back(std::move(node));
            continue;
        }
        const ValueId from = node.inputs[0], to = node.outputs[0];
        const bool from_is_fixed =
            inputs.contains(from) || outputs.contains(from) || graph.constant(from);
        if (!outputs.contains(to)) {
            now[static_cast<size_t>(to)] = from;  // its readers read what it passed on
        } else if (!from_is_fixed) {
            // The output keeps its name: who produced `from` produces it, who read `from` reads it.
            for (Node& earlier : kept) {
                std::replace(earlier.outputs.begin(), earlier.outputs.end(), from, to);
                std::replace(earlier.inputs.begin(), earlier.inputs.end(), from, to);
            }
            std::replace(now.begin(), now.end(), from, to);
        } else {
            kept.push_back(std::move(node));
            continue;
        }
        ++bypassed;
    }
    graph.nodes = std::move(kept);
    return bypassed;
}

void simplify(Graph& graph) {
    int changes = 1;
    while (changes > 0) {
        changes = fold_constants(graph);
        changes += bypass_identities(graph);
        changes += fuse_batch_norm(graph);
        remove_dead(graph);
    }
    infer_shapes(graph);
}

}  // namespace adiabat::net
