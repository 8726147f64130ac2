// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/evaluate.h"

#include <algorithm>
#include <cmath>
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

// Dimensions are at most 2^40 each: sums of products are taken in double, where they may be large.
double bytes_of(const Value& value) {
    double bits = bits_of(value.type);
    for (int64_t dimension : *value.shape) bits *= static_cast<double>(dimension);
    return bits / 8;
}

bool has_known_size(const Value& value) {
    if (!value.shape || bits_of(value.type) == 0) return false;
    if (std::any_of(value.shape->begin(), value.shape->end(), [](int64_t d) { return d < 0; })) {
        return false;
    }
    return bytes_of(value) <= static_cast<double>(kMaxEvaluatedBytes);
}

}  // namespace

std::optional<EvaluationCost> evaluation_cost(const Graph& graph, const Node& node) {
    double results = 0, work = 0;
    for (ValueId id : node.outputs) {
        if (id == kNoValue || !has_known_size(graph.value(id))) return std::nullopt;
        results += bytes_of(graph.value(id));
    }
    for (ValueId id : node.inputs) {
        if (const Tensor* constant = graph.constant(id)) {
            work += static_cast<double>(constant->bytes.size());
        }
    }
    work += results;
    if (node.op == "MatMul") {
        const Tensor* left = graph.constant(node.input(0));
        if (left && !left->shape.empty()) work += results * static_cast<double>(left->shape.back());
    }
    constexpr double kMost = 0x1p62;
    return EvaluationCost{static_cast<int64_t>(std::min(results, kMost)),
                          static_cast<int64_t>(std::min(work, kMost))};
}

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

bool is_storable(const Tensor& tensor) {
    const auto all = [&](const auto& numbers) {
        return std::all_of(numbers.begin(), numbers.end(), [&](auto number) {
            return std::isfinite(number) || (numbers.size() == 1 && !std::isnan(number));
        });
    };
    switch (tensor.type) {
        case DType::kFloat:
            return all(tensor.as<float>());
        case DType::kDouble:
            return all(tensor.as<double>());
        case DType::kFloat16:
        case DType::kBfloat16:
            return all(tensor.to_doubles());
        default:
            return true;
    }
}

std::vector<std::string> operators_evaluated() {
    std::vector<std::string> names;
    for (const auto& [name, evaluator] : evaluators()) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace adiabat::net
