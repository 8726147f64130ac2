// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/fold_with_engine.h"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/net/evaluate.h"
#include "adiabat/net/extract.h"
#include "adiabat/net/fold.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::pipeline {

namespace {

using net::Graph;
using net::Node;
using net::ValueId;

// Nodes that depend on constants alone, and what others read of them.
struct Foldable {
    std::vector<uint8_t> node;  // one a node
    std::vector<ValueId> results;
};

Foldable find_foldable(const Graph& graph, net::FoldBudget& budget) {
    Foldable found{std::vector<uint8_t>(graph.nodes.size(), 0), {}};
    int64_t largest = budget.largest;
    std::vector<uint8_t> computed(graph.values.size(), 0);
    std::set<ValueId> read;
    const auto is_known = [&](ValueId id) {
        return id == net::kNoValue || graph.constant(id) || computed[static_cast<size_t>(id)];
    };
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        const auto cost = net::evaluation_cost(graph, node);
        const bool is_random =
            node.op.starts_with("Random") || node.op == "Multinomial" || node.op == "Bernoulli";
        if (!node.inputs.empty() && node.captured.empty() && !is_random && cost &&
            cost->result_bytes <= largest && cost->work_bytes <= budget.work_left &&
            std::all_of(node.inputs.begin(), node.inputs.end(), is_known)) {
            largest -= cost->result_bytes;  // they are in memory together
            budget.work_left -= cost->work_bytes;
            found.node[n] = 1;
            for (ValueId id : node.outputs) {
                if (id != net::kNoValue) computed[static_cast<size_t>(id)] = 1;
            }
            continue;
        }
        read.insert(node.inputs.begin(), node.inputs.end());
        read.insert(node.captured.begin(), node.captured.end());
    }
    read.insert(graph.outputs.begin(), graph.outputs.end());
    for (ValueId id : read) {
        if (id != net::kNoValue && computed[static_cast<size_t>(id)]) found.results.push_back(id);
    }
    return found;
}

}  // namespace

int fold_with_engine(Graph& graph, net::FoldBudget& budget) {
    const Foldable found = find_foldable(graph, budget);
    if (found.results.empty()) return 0;
    std::vector<net::Tensor> tensors;
    try {
        const net::Piece piece = net::extract(graph, {}, found.results);
        const auto session = load_engine()->open(piece.graph, {});
        tensors = session->run({}, piece.graph.outputs);
    } catch (const InputError&) {
        return 0;
    }
    if (!std::all_of(tensors.begin(), tensors.end(), net::is_storable)) return 0;
    for (size_t k = 0; k < tensors.size(); ++k) {
        net::Value& value = graph.value(found.results[k]);
        value.type = tensors[k].type;
        value.shape = tensors[k].shape;
        value.constant = std::make_shared<const net::Tensor>(std::move(tensors[k]));
    }
    size_t next = 0;
    std::erase_if(graph.nodes, [&](const Node&) { return found.node[next++] != 0; });
    return static_cast<int>(found.results.size());
}

}  // namespace adiabat::pipeline
