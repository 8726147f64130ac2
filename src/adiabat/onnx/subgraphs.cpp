// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/subgraphs.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>
#include <unordered_set>

namespace adiabat::onnx {

namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;

// Names that are defined in the graphs from the outermost inner one to the present one.
using Scopes = std::vector<std::unordered_set<std::string>>;

bool is_inside(const Scopes& scopes, const std::string& name) {
    return std::any_of(scopes.begin(), scopes.end(),
                       [&](const auto& scope) { return scope.contains(name); });
}

std::unordered_set<std::string> names_defined(const GraphProto& graph) {
    std::unordered_set<std::string> names;
    for (const auto& input : graph.input()) names.insert(input.name());
    for (const auto& tensor : graph.initializer()) names.insert(tensor.name());
    for (const auto& tensor : graph.sparse_initializer()) names.insert(tensor.values().name());
    for (const auto& node : graph.node()) names.insert(node.output().begin(), node.output().end());
    return names;
}

// Calls visit(name) with every name that is read inside and defined outside, to change it.
template <typename Visit>
class Captures {
  public:
    explicit Captures(Visit visit) : visit_(visit) {}

    void walk(NodeProto& node) {
        for (auto& attribute : *node.mutable_attribute()) {
            if (attribute.has_g()) walk(*attribute.mutable_g());
            for (auto& graph : *attribute.mutable_graphs()) walk(graph);
        }
    }

  private:
    void walk(GraphProto& graph) {
        scopes_.push_back(names_defined(graph));
        for (auto& node : *graph.mutable_node()) {
            for (auto& input : *node.mutable_input()) read(input);
            walk(node);
        }
        for (auto& output : *graph.mutable_output()) read(*output.mutable_name());
        scopes_.pop_back();
    }

    void read(std::string& name) {
        if (!name.empty() && !is_inside(scopes_, name)) visit_(name);
    }

    Visit visit_;
    Scopes scopes_;
};

void visit_sparse(::onnx::SparseTensorProto& sparse,
                  const std::function<void(::onnx::TensorProto&)>& visit) {
    if (sparse.has_values()) visit(*sparse.mutable_values());
    if (sparse.has_indices()) visit(*sparse.mutable_indices());
}

void visit_tensors(GraphProto& graph, const std::function<void(::onnx::TensorProto&)>& visit) {
    for (auto& tensor : *graph.mutable_initializer()) visit(tensor);
    for (auto& sparse : *graph.mutable_sparse_initializer()) visit_sparse(sparse, visit);
    for (auto& node : *graph.mutable_node()) {
        for (auto& attribute : *node.mutable_attribute()) for_each_tensor(attribute, visit);
    }
}

}  // namespace

std::vector<std::string> captured_names(const NodeProto& node) {
    const bool has_graphs = std::any_of(
        node.attribute().begin(), node.attribute().end(),
        [](const auto& attribute) { return attribute.has_g() || attribute.graphs_size() > 0; });
    if (!has_graphs) return {};
    std::set<std::string> names;
    NodeProto copy = node;  // the walk may change names, and does not here
    const auto note = [&](const std::string& name) { names.insert(name); };
    Captures<decltype(note)>(note).walk(copy);
    return {names.begin(), names.end()};
}

void for_each_tensor(AttributeProto& attribute,
                     const std::function<void(::onnx::TensorProto&)>& visit) {
    if (attribute.has_t()) visit(*attribute.mutable_t());
    for (auto& tensor : *attribute.mutable_tensors()) visit(tensor);
    if (attribute.has_sparse_tensor()) visit_sparse(*attribute.mutable_sparse_tensor(), visit);
    for (auto& sparse : *attribute.mutable_sparse_tensors()) visit_sparse(sparse, visit);
    if (attribute.has_g()) visit_tensors(*attribute.mutable_g(), visit);
    for (auto& graph : *attribute.mutable_graphs()) visit_tensors(graph, visit);
}

void rename_captured(NodeProto& node,
                     const std::function<std::string(const std::string&)>& renamed) {
    const auto rename = [&](std::string& name) {
        std::string other = renamed(name);
        if (!other.empty()) name = std::move(other);
    };
    Captures<decltype(rename)>(rename).walk(node);
}

}  // namespace adiabat::onnx
