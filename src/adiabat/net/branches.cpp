// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/branches.h"

#include <algorithm>
#include <set>

namespace adiabat::net {

namespace {

bool has_weights(const Graph& graph, const Node& node) {
    return node.domain.empty() && graph.constant(node.input(1)) &&
           (node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm" ||
            node.op == "MatMul");
}

// What serves one operand of an addition and nothing else.
struct Service {
    std::vector<int> nodes, weighted;
    std::set<ValueId> reads;  // activations from outside
};

Service service_of(const Graph& graph, const Uses& uses, int add, ValueId operand) {
    Service service;
    if (graph.is_output(operand) || uses.readers(operand).size() != 1) {
        service.reads = {operand};
        return service;
    }
    std::vector<uint8_t> serves(static_cast<size_t>(add) + 1, 0);
    for (int n = add; n-- > 0;) {
        const Node& node = graph.nodes[static_cast<size_t>(n)];
        const bool only = std::all_of(node.outputs.begin(), node.outputs.end(), [&](ValueId id) {
            if (id == operand || id == kNoValue) return true;
            const auto& readers = uses.readers(id);
            return !readers.empty() && !graph.is_output(id) &&
                   std::all_of(readers.begin(), readers.end(), [&](int reader) {
                       return reader < add && serves[static_cast<size_t>(reader)];
                   });
        });
        if (!only) continue;
        const bool mine =
            std::find(node.outputs.begin(), node.outputs.end(), operand) != node.outputs.end() ||
            std::any_of(node.outputs.begin(), node.outputs.end(),
                        [&](ValueId id) { return id != kNoValue && !uses.readers(id).empty(); });
        if (!mine) continue;
        serves[static_cast<size_t>(n)] = 1;
        service.nodes.push_back(n);
        if (has_weights(graph, node)) service.weighted.push_back(n);
    }
    std::reverse(service.nodes.begin(), service.nodes.end());
    std::reverse(service.weighted.begin(), service.weighted.end());
    for (int n : service.nodes) {
        for (ValueId id : graph.nodes[static_cast<size_t>(n)].inputs) {
            if (id == kNoValue || graph.constant(id)) continue;
            const int producer = uses.producer(id);
            if (producer < 0 || !serves[static_cast<size_t>(producer)]) service.reads.insert(id);
        }
    }
    if (service.nodes.empty()) service.reads = {operand};
    return service;
}

bool is_relu(const Graph& graph, int node) {
    if (node < 0) return false;
    const Node& facts = graph.nodes[static_cast<size_t>(node)];
    return facts.op == "Relu" && facts.domain.empty();
}

int last_of(const Graph& graph, const Uses& uses, int add, ValueId skip) {
    const ValueId sum = graph.nodes[static_cast<size_t>(add)].outputs[0];
    const auto& readers = uses.readers(sum);
    const bool is_idle = readers.size() == 1 && !graph.is_output(sum) &&
                         is_relu(graph, readers[0]) && is_relu(graph, uses.producer(skip));
    return is_idle ? readers[0] : add;
}

}  // namespace

ValueId skip_of(const Graph& graph, const Branch& branch) {
    return graph.nodes[static_cast<size_t>(branch.add)].inputs[branch.operand == 0 ? 1 : 0];
}

std::vector<Branch> find_branches(const Graph& graph) {
    const Uses uses(graph);
    std::vector<Branch> found;
    for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
        const Node& node = graph.nodes[static_cast<size_t>(n)];
        if (node.op != "Add" || !node.domain.empty() || node.inputs.size() != 2) continue;
        const ValueId a = node.inputs[0], b = node.inputs[1];
        if (a == b || graph.constant(a) || graph.constant(b)) continue;
        const Service of_a = service_of(graph, uses, n, a), of_b = service_of(graph, uses, n, b);
        const bool first = of_a.weighted.size() > of_b.weighted.size();
        const Service& branch = first ? of_a : of_b;
        const Service& skip = first ? of_b : of_a;
        if (branch.weighted.size() <= skip.weighted.size()) continue;
        const bool same_start = std::any_of(branch.reads.begin(), branch.reads.end(),
                                            [&](ValueId id) { return skip.reads.contains(id); });
        const ValueId goes_on = first ? b : a;
        const auto& shape = graph.value(goes_on).shape;
        if (!same_start || !shape || shape != graph.value(node.outputs[0]).shape) continue;
        const int last = last_of(graph, uses, n, goes_on);
        found.push_back({n, first ? 0 : 1, last, branch.nodes, branch.weighted});
    }
    return found;
}

}  // namespace adiabat::net
