// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/shape_inference.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

const std::unordered_map<std::string, NamedRule>& rules() {
    static const auto table = [] {
        std::unordered_map<std::string, NamedRule> all;
        for (const auto& family :
             {elementwise_rules(), convolution_rules(), layout_rules(), slicing_rules(),
              reduction_rules(), indexing_rules(), sampling_rules(), quantized_rules()}) {
            for (const NamedRule& entry : family) all.emplace(entry.op, entry);
        }
        return all;
    }();
    return table;
}

const NamedRule* rule_of(const Node& node) {
    const auto found = rules().find(node.domain.empty() ? node.op : node.domain + "." + node.op);
    return found == rules().end() ? nullptr : &found->second;
}

}  // namespace

std::optional<std::vector<int64_t>> RuleScope::ints(const char* attribute, size_t input) const {
    if (node.has(attribute)) return node.ints_or(attribute, {});
    if (!has(input)) return std::vector<int64_t>{};
    return partial_.ints(node.input(input));
}

void RuleScope::set(size_t output, DType type, std::optional<Shape> shape) const {
    if (output >= node.outputs.size() || node.outputs[output] == kNoValue) return;
    Value& value = graph_.value(node.outputs[output]);
    if (type != DType::kUndefined) value.type = type;
    if (!shape) return;
    for (int64_t dimension : *shape) {
        if (dimension > kMaxDimension)
            fail("an output of shape {} is too large", to_string(*shape));
        if (dimension < 0 && dimension != kUnknown)
            fail("an output of shape {} is less than nothing", to_string(*shape));
    }
    if (value.shape && value.shape->size() == shape->size()) {
        for (size_t k = 0; k < shape->size(); ++k) {
            if ((*shape)[k] == kUnknown) (*shape)[k] = (*value.shape)[k];
        }
    }
    value.shape = std::move(shape);
}

void RuleScope::as(const char* op, const std::vector<size_t>& inputs) const {
    Node other = node;
    other.op = op;
    other.domain.clear();
    other.inputs.clear();
    for (size_t k : inputs) other.inputs.push_back(node.input(k));
    rules().at(op).rule(RuleScope(graph_, other, partial_));
}

int64_t RuleScope::axis(int64_t axis, size_t rank) const {
    const auto normal = normal_axis(axis, static_cast<int64_t>(rank));
    if (!normal) fail("axis {} of an array of {} dimensions", axis, rank);
    return *normal;
}

ShapeInference::ShapeInference(Graph& graph) : graph_(graph), partial_(graph) {
    for (Value& value : graph.values) {
        if (!value.constant) continue;
        value.type = value.constant->type;
        value.shape = value.constant->shape;
    }
}

void ShapeInference::visit(const Node& node) {
    const NamedRule* rule = rule_of(node);
    if (!rule) return;
    const RuleScope scope(graph_, node, partial_);
    for (size_t k = 0; k < rule->inputs; ++k) {
        if (!scope.has(k)) scope.fail("input {} of {} is missing", k + 1, rule->inputs);
    }
    if (node.outputs.empty()) scope.fail("has no output");
    forget_if_constant(node);
    rule->rule(scope);
    partial_.visit(node);
}

// Where all inputs are constants the rule knows all there is to know, and the evaluator relies on
// it.
void ShapeInference::forget_if_constant(const Node& node) {
    for (ValueId id : node.inputs) {
        if (id != kNoValue && !graph_.constant(id)) return;
    }
    for (ValueId id : node.outputs) {
        if (id != kNoValue) graph_.value(id).shape.reset();
    }
}

void ShapeInference::learn(ValueId id) { partial_.learn(id); }

void infer_shapes(Graph& graph) {
    ShapeInference inference(graph);
    for (const Node& node : graph.nodes) inference.visit(node);
}

bool has_shape_rule(const Node& node) { return rule_of(node) != nullptr; }

std::vector<std::string> unknown_operators(const Graph& graph) {
    std::set<std::string> unknown;
    for (const Node& node : graph.nodes) {
        if (rule_of(node)) continue;
        unknown.insert(node.domain.empty() ? node.op : node.domain + "." + node.op);
    }
    return {unknown.begin(), unknown.end()};
}

std::vector<std::string> operators_inferred() {
    std::vector<std::string> names;
    for (const auto& [name, rule] : rules()) names.push_back(name);
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace adiabat::net
