// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a shape rule sees and says; private to shape inference. A rule is a function of one node: it
// reads the inputs' types and shapes and sets the outputs'. Where a shape it needs is not known it
// sets the type alone.

#include <fmt/format.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/net/describe.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/partial_ints.h"

namespace adiabat::net {

class RuleScope {
  public:
    RuleScope(Graph& graph, const Node& visited, const PartialTable& known)
        : node(visited), graph_(graph), partial_(known) {}

    const Node& node;

    int opset() const { return graph_.opset; }
    bool has(size_t input) const { return node.input(input) != kNoValue; }
    DType type(size_t input) const {
        return has(input) ? graph_.value(node.input(input)).type : DType::kUndefined;
    }
    // Null where not even the rank is known.
    const Shape* shape(size_t input) const {
        if (!has(input) || !graph_.value(node.input(input)).shape) return nullptr;
        return &*graph_.value(node.input(input)).shape;
    }
    const Tensor* constant(size_t input) const { return graph_.constant(node.input(input)); }
    const PartialInts* partial(size_t input) const { return partial_.find(node.input(input)); }
    // Integers that were an attribute in earlier opsets and are an input now; nothing where they
    // are an input whose values are not known. An input that is left out gives an empty list.
    std::optional<std::vector<int64_t>> ints(const char* attribute, size_t input) const;

    // Sets an output; one that is not wanted is skipped.
    void set(size_t output, DType type, std::optional<Shape> shape = std::nullopt) const;

    template <typename... Args>
    [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
        throw InputError("{}: {}", describe(graph_, node),
                         fmt::format(text, std::forward<Args>(args)...));
    }
    // Applies the rule of another operator, whose inputs are those of this node at `inputs`.
    void as(const char* op, const std::vector<size_t>& inputs) const;
    // An axis of an array of that rank, counted from the front; fails where there is none.
    int64_t axis(int64_t axis, size_t rank) const;

  private:
    Graph& graph_;
    const PartialTable& partial_;
};

using ShapeRule = void (*)(const RuleScope&);

struct NamedRule {
    const char* op;  // "com.microsoft.QLinearAdd" where the domain is not ai.onnx
    ShapeRule rule;
    size_t inputs = 1;  // how many must be there; the rest is optional
};

// The tables of the families, each sorted as its file likes.
std::vector<NamedRule> elementwise_rules();
std::vector<NamedRule> convolution_rules();
std::vector<NamedRule> layout_rules();
std::vector<NamedRule> slicing_rules();
std::vector<NamedRule> reduction_rules();
std::vector<NamedRule> indexing_rules();
std::vector<NamedRule> sampling_rules();
std::vector<NamedRule> quantized_rules();

}  // namespace adiabat::net
