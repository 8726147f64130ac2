// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the evaluator of one operator sees; private to evaluate*.cpp. Inputs and the outputs' shapes
// have been checked by shape inference before.

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

#include "adiabat/net/describe.h"
#include "adiabat/net/graph.h"

namespace adiabat::net {

class EvaluateScope {
  public:
    EvaluateScope(const Graph& graph, const Node& evaluated) : node(evaluated), graph_(graph) {}

    const Node& node;

    bool has(size_t input) const { return node.input(input) != kNoValue; }
    const Tensor& in(size_t input) const { return *graph_.constant(node.input(input)); }
    // Zeros of the type and shape that were inferred.
    Tensor out(size_t output = 0) const {
        const Value& value = graph_.value(node.outputs[output]);
        return Tensor(value.type, *value.shape);
    }
    // Integers that are an attribute or an input; empty where they are neither.
    std::vector<int64_t> ints(const char* attribute, size_t input) const {
        if (node.has(attribute)) return node.ints_or(attribute, {});
        return has(input) ? in(input).to_ints() : std::vector<int64_t>{};
    }
    template <typename... Args>
    [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
        throw InputError("{}: {}", describe(graph_, node),
                         fmt::format(text, std::forward<Args>(args)...));
    }

  private:
    const Graph& graph_;
};

// Nothing for a mode or a type that is not evaluated.
using Results = std::optional<std::vector<Tensor>>;
using Evaluator = Results (*)(const EvaluateScope&);

struct NamedEvaluator {
    const char* op;
    Evaluator evaluate;
};

std::vector<NamedEvaluator> elementwise_evaluators();
std::vector<NamedEvaluator> layout_evaluators();
std::vector<NamedEvaluator> sum_evaluators();
std::vector<NamedEvaluator> indexing_evaluators();
Results evaluate_cast(const EvaluateScope& scope);

// Elements of 2 and 4 bits, packed, one a byte, and back; other types as they are. Bytes hold the
// low bits, the sign not extended.
Tensor widened(const Tensor& tensor);
Tensor packed(const Tensor& wide, DType type);

// Calls f with a value of the C++ type of the element type; false where it has no arithmetic here.
template <typename F>
bool with_arithmetic_type(DType type, F f) {
    switch (type) {
        case DType::kFloat:
            f(float{});
            return true;
        case DType::kDouble:
            f(double{});
            return true;
        case DType::kUint8:
            f(uint8_t{});
            return true;
        case DType::kInt8:
            f(int8_t{});
            return true;
        case DType::kUint16:
            f(uint16_t{});
            return true;
        case DType::kInt16:
            f(int16_t{});
            return true;
        case DType::kUint32:
            f(uint32_t{});
            return true;
        case DType::kInt32:
            f(int32_t{});
            return true;
        case DType::kUint64:
            f(uint64_t{});
            return true;
        case DType::kInt64:
            f(int64_t{});
            return true;
        default:
            return false;
    }
}

}  // namespace adiabat::net
