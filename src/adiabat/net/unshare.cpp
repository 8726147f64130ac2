// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/unshare.h"

#include <map>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>

namespace adiabat::net {

namespace {

bool has_bias(const Graph& graph, const Node& node) {
    return node.domain.empty() &&
           (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm") &&
           graph.constant(node.input(1)) && graph.constant(node.input(2));
}

}  // namespace

int unshare_biases(Graph& graph) {
    std::map<ValueId, std::set<ValueId>> weights;  // that stand beside a bias
    for (const Node& node : graph.nodes) {
        if (has_bias(graph, node)) weights[node.inputs[2]].insert(node.inputs[1]);
    }
    std::erase_if(weights, [](const auto& entry) { return entry.second.size() < 2; });
    if (weights.empty()) return 0;

    std::unordered_set<std::string> names;
    for (const Value& value : graph.values) names.insert(value.name);
    std::map<std::pair<ValueId, ValueId>, ValueId> copies;  // by bias and weight
    int copied = 0;
    for (Node& node : graph.nodes) {
        if (!has_bias(graph, node) || !weights.contains(node.inputs[2])) continue;
        const auto [copy, is_new] =
            copies.try_emplace({node.inputs[2], node.inputs[1]}, node.inputs[2]);
        // One of the weights keeps the original.
        if (is_new && *weights[node.inputs[2]].begin() != node.inputs[1]) {
            const Value& bias = graph.value(node.inputs[2]);
            std::string name = bias.name + "_copy";
            for (int k = 2; !names.insert(name).second; ++k) {
                name = bias.name + "_copy" + std::to_string(k);
            }
            const Tensor tensor = *bias.constant;
            copy->second = graph.add_constant(std::move(name), tensor);
            ++copied;
        }
        node.inputs[2] = copy->second;
    }
    return copied;
}

}  // namespace adiabat::net
