// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/evaluate.h"

#include <algorithm>
#include <unordered_map>

#include "adiabat/net/evaluate_scope.h"

namespace adiabat::net {

namespace {

const std::unordered_map<std::string, Evaluator>& evaluators() {
    static const auto table = [] {
        std::unordered_map<std::string, Evaluator> all = {{"Cast", evaluate_cast},
                                                          {"CastLike", evaluate_cast}};
        for (const auto& family : {elementwise_evaluators(), layout_evaluators(), sum_evaluators(),
                                   indexing_evaluators()}) {
            for (const NamedEvaluator& entry : family) all.emplace(entry.op, entry.evaluate);
        }
        return all;
    }();
    return table;
}

bool has_known_size(const Value& value) {
    if (!value.shape || bits_of(value.type) == 0) return false;
    if (std::find(value.shape->begin(), value.shape->end(), kUnknown) != value.shape->end()) {
        return false;
    }
    return elements(*value.shape) <= kMaxEvaluatedBytes / bits_of(value.type) * 8;
}

}  // namespace

std::optional<std::vector<Tensor>> evaluate(const Graph& graph, const Node& node) {
    const auto found = evaluators().find(node.op);
    if (!node.domain.empty() || found == evaluators().end() || node.outputs.empty()) {
        return std::nullopt;
    }
    for (ValueId id : node.inputs) {
        if (id != kNoValue && !graph.constant(id)) return std::nullopt;
    }
    for (ValueId id : node.outputs) {
        if (id == kNoValue || !has_known_size(graph.value(id))) return std::nullopt;
    }
    auto results = found->second(EvaluateScope(graph, node));
    // More outputs than the operator has: not ours to judge.
    if (results && results->size() != node.outputs.size()) return std::nullopt;
    return results;
}

std::vector<std::string> operators_evaluated() {
    std::vector<std::string> names;
    for (const auto& [name, evaluator] : evaluators()) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace adiabat::net
