// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/to_float32.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_set>

#include "adiabat/net/describe.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

bool is_other_float(DType type) {
    return type == DType::kFloat16 || type == DType::kBfloat16 || type == DType::kDouble;
}

Tensor converted(const Tensor& tensor, const std::string& what) {
    const auto values = tensor.to_doubles();
    std::vector<float> floats;
    floats.reserve(values.size());
    constexpr double kLargest = double{std::numeric_limits<float>::max()};
    for (double value : values) {
        if (std::isfinite(value) && std::abs(value) > kLargest) {
            throw InputError("{} holds {}, which is beyond the floats: scale the network", what,
                             value);
        }
        floats.push_back(static_cast<float>(value));
    }
    return Tensor::of<float>(tensor.shape, floats);
}

// Attributes that name the type of what an operator makes.
constexpr std::string_view kTypeNames[] = {"to", "dtype", "output_dtype"};

class Converter {
  public:
    explicit Converter(Graph& graph) : graph_(graph) {}

    void run() {
        for (const Node& node : graph_.nodes) check(node);
        std::vector<Node> nodes;
        for (ValueId id : graph_.inputs) cast_input(id, nodes);
        std::vector<Node> ends;
        for (ValueId id : graph_.outputs) cast_output(id, ends);
        for (size_t v = 0; v < graph_.values.size(); ++v) convert(static_cast<ValueId>(v));
        for (Node& node : graph_.nodes) {
            convert_attributes(node);
            for (ValueId& id : node.inputs) id = now(id);
            for (ValueId& id : node.outputs) id = now(id);
            nodes.push_back(std::move(node));
        }
        for (Node& node : ends) nodes.push_back(std::move(node));
        graph_.nodes = std::move(nodes);
    }

  private:
    void check(const Node& node) const {
        if (!has_shape_rule(node)) {
            throw InputError(
                "{}: the network computes in {}, and this operator is not known here, so it cannot "
                "be turned to float: export the network in float",
                describe(graph_, node), kind());
        }
        if (!node.captured.empty()) {
            throw InputError(
                "{}: the network computes in {}, and this operator holds a graph that reads its "
                "values, so it cannot be turned to float: export the network in float",
                describe(graph_, node), kind());
        }
    }

    std::string_view kind() const {
        for (const Value& value : graph_.values) {
            if (is_other_float(value.type)) return name_of(value.type);
        }
        return "another type";
    }

    ValueId now(ValueId id) const {
        const auto size = static_cast<ValueId>(instead_.size());
        return id == kNoValue || id >= size || instead_[static_cast<size_t>(id)] == kNoValue
                   ? id
                   : instead_[static_cast<size_t>(id)];
    }

    // The value that is read, or made, in place of one that keeps its type.
    ValueId stand_in(ValueId id) {
        instead_.resize(std::max(instead_.size(), static_cast<size_t>(id) + 1), kNoValue);
        const std::string name = names_.take(graph_.value(id).name + "_float");
        auto shape = graph_.value(id).shape;
        const ValueId added = graph_.add_value(name, DType::kFloat, std::move(shape));
        kept_.insert(id);
        instead_[static_cast<size_t>(id)] = added;
        return added;
    }

    static Node cast(ValueId from, ValueId to, DType type) {
        Node node;
        node.op = "Cast";
        node.inputs = {from};
        node.outputs = {to};
        node.attributes["to"] = static_cast<int64_t>(type);
        return node;
    }

    void cast_input(ValueId id, std::vector<Node>& nodes) {
        if (!is_other_float(graph_.value(id).type)) return;
        const ValueId added = stand_in(id);
        nodes.push_back(cast(id, added, DType::kFloat));
    }

    // Constants and inputs that are outputs keep what they are; their readers read a stand-in.
    void cast_output(ValueId id, std::vector<Node>& ends) {
        const DType type = graph_.value(id).type;
        if (!is_other_float(type) || kept_.contains(id)) return;
        const auto constant = graph_.value(id).constant;
        const ValueId added = stand_in(id);
        if (constant) {
            graph_.value(added).constant =
                std::make_shared<const Tensor>(converted(*constant, graph_.value(id).name));
        } else {
            ends.push_back(cast(added, id, type));
        }
    }

    void convert(ValueId id) {
        Value& value = graph_.value(id);
        if (!is_other_float(value.type) || kept_.contains(id)) return;
        value.type = DType::kFloat;
        if (value.constant) {
            value.constant = std::make_shared<const Tensor>(converted(*value.constant, value.name));
        }
    }

    void convert_attributes(Node& node) const {
        for (auto& [name, attribute] : node.attributes) {
            if (auto* tensor = std::get_if<Tensor>(&attribute);
                tensor && is_other_float(tensor->type)) {
                *tensor = converted(*tensor, describe(graph_, node) + ", attribute " + name);
            }
            auto* number = std::get_if<int64_t>(&attribute);
            const bool is_type = std::find(std::begin(kTypeNames), std::end(kTypeNames), name) !=
                                 std::end(kTypeNames);
            if (number && is_type && is_other_float(static_cast<DType>(*number))) {
                *number = static_cast<int64_t>(DType::kFloat);
            }
        }
    }

    Graph& graph_;
    UnusedNames names_{graph_};
    std::unordered_set<ValueId> kept_;  // inputs and outputs, which keep their type
    std::vector<ValueId> instead_;      // by value: its stand-in, kNoValue where there is none
};

}  // namespace

bool needs_float32(const Graph& graph) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [&](const Node& node) {
        const bool multiplies = node.op == "Conv" || node.op == "ConvTranspose" ||
                                node.op == "Gemm" || node.op == "MatMul";
        return multiplies && node.domain.empty() && node.input(1) != kNoValue &&
               is_other_float(graph.value(node.input(1)).type);
    });
}

bool to_float32(Graph& graph) {
    infer_shapes(graph);
    if (!needs_float32(graph)) return false;
    Converter(graph).run();
    check_graph(graph);
    infer_shapes(graph);
    return true;
}

}  // namespace adiabat::net
