// SPDX-License-Identifier: Apache-2.0
#pragma once

// Evaluates one node whose inputs are all constants: shape arithmetic and weights that decode
// themselves.
//
// Not an engine: the operators are those that stand between stored numbers and the parameters of a
// network (see operators_evaluated). Integer arithmetic wraps around, casts from float truncate
// towards zero and keep the low bits, as ONNX Runtime does on x86-64. Loops are over plain arrays;
// O(elements) for all but MatMul, O(rows x columns x depth).
//
// Source: onnx/docs/Operators.md; casts measured on ONNX Runtime 1.32.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Results larger than this are left to the runtime, whoever asks.
inline constexpr int64_t kMaxEvaluatedBytes = int64_t{1} << 30;

// What evaluating a node would take, from the shapes that were inferred: bytes of its results, and
// bytes that are read, written or added up on the way. Nothing where a result has no known size.
struct EvaluationCost {
    int64_t result_bytes = 0, work_bytes = 0;
};
std::optional<EvaluationCost> evaluation_cost(const Graph& graph, const Node& node);

// One tensor an output, in order. The outputs' types and shapes must have been inferred. Nothing
// where the operator is not among those evaluated here, an input is no constant, an output's shape
// is not known or an output is not wanted. Throws InputError, naming the node, where the numbers
// have no result (division by zero, an index out of range).
std::optional<std::vector<Tensor>> evaluate(const Graph& graph, const Node& node);

// Whether the numbers may stand in a file as parameters: none is NaN, and none infinite but a
// scalar.
bool is_storable(const Tensor& tensor);

// Sorted.
std::vector<std::string> operators_evaluated();

}  // namespace adiabat::net
