// SPDX-License-Identifier: Apache-2.0
#pragma once

// Types and shapes of all values, from those of the inputs and parameters.
//
// One rule a family of operators (shape_rules_*.cpp), visited in topological order; integers that
// shapes depend on come from constants and from partially known ones (partial_ints.h). A dimension
// that follows from the batch stays kUnknown. Where a rule says less than the file's value_info
// did, the file's word stays; where they differ, the rule's. O(nodes).
//
// Source: onnx/docs/Operators.md and Changelog.md (the operators as of each opset).

#include <string>
#include <vector>

#include "adiabat/net/graph.h"
#include "adiabat/net/partial_ints.h"

namespace adiabat::net {

// Fills Value::type and Value::shape. Throws InputError that names the node, what was found and
// what its operator takes: "Conv /conv1/Conv: weight takes 3 channels, input has 4". Values behind
// an operator that nobody knows keep what the file said of them.
void infer_shapes(Graph& graph);

// Whether there is a rule for the operator of a node.
bool has_shape_rule(const Node& node);

// Operators of the graph that have no rule here, sorted, each once; "com.microsoft.Gelu" where the
// domain is not ai.onnx.
std::vector<std::string> unknown_operators(const Graph& graph);
// Those that have one, sorted.
std::vector<std::string> operators_inferred();

// The same node by node, for whoever changes nodes on the way (fold.h). The graph must outlive it,
// and its values must not be renumbered meanwhile.
class ShapeInference {
  public:
    explicit ShapeInference(Graph& graph);
    // Infers the outputs of a node whose inputs have been inferred.
    void visit(const Node& node);
    // A value has become a constant.
    void learn(ValueId id);
    const PartialTable& partial() const { return partial_; }

  private:
    void forget_if_constant(const Node& node);

    Graph& graph_;
    PartialTable partial_;
};

}  // namespace adiabat::net
