// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/coding.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace adiabat::net {

namespace {

template <size_t N>
bool is_one_of(const Node& node, const std::array<std::string_view, N>& operators) {
    return node.domain.empty() &&
           std::find(operators.begin(), operators.end(), node.op) != operators.end();
}

// Operators that move values without changing them: they work on codes.
constexpr std::array<std::string_view, 10> kMovers = {
    "Slice",   "Split",     "Gather",  "Pad",       "Flatten",
    "Reshape", "Transpose", "Squeeze", "Unsqueeze", "MaxPool"};
// Operators besides layers whose outputs are coded: the runtime has integer kernels for them.
constexpr std::array<std::string_view, 4> kInteger = {"Add", "GlobalAveragePool", "AveragePool",
                                                      "Concat"};

class Search {
  public:
    Search(const Graph& graph, std::span<const Layer> layers)
        : graph_(graph),
          uses_(graph),
          captured_(captured_values(graph)),
          layer_of_node_(graph.nodes.size(), -1) {
        for (size_t k = 0; k < layers.size(); ++k) {
            layer_of_node_[static_cast<size_t>(layers[k].node)] = static_cast<int>(k);
        }
        coding_.of_value.assign(graph.values.size(), -1);
        coding_.number.assign(graph.values.size(), -1);
    }

    Coding run() {
        for (ValueId id : graph_.inputs) {
            if (wants_codes(id)) code(id, id);
        }
        for (size_t n = 0; n < graph_.nodes.size(); ++n) look_at(n);
        for (Activation& activation : coding_.activations) {
            activation.is_inner =
                std::none_of(activation.values.begin(), activation.values.end(), [&](ValueId id) {
                    return graph_.is_output(id) || captured_[static_cast<size_t>(id)];
                });
        }
        return std::move(coding_);
    }

  private:
    bool has_integer_kernel(int n) const {
        const Node& node = graph_.nodes[static_cast<size_t>(n)];
        return layer_of_node_[static_cast<size_t>(n)] >= 0 || is_one_of(node, kInteger) ||
               is_spatial_mean(graph_, node);
    }

    // An operator with an integer kernel makes or reads it.
    bool wants_codes(ValueId id) const {
        // What an operator without a rule makes has no type that is known; layers read float alone.
        const DType type = graph_.value(id).type;
        if ((type != DType::kFloat && type != DType::kUndefined) || graph_.constant(id))
            return false;
        if (uses_.producer(id) >= 0 && has_integer_kernel(uses_.producer(id))) return true;
        const auto& readers = uses_.readers(id);
        return std::any_of(readers.begin(), readers.end(),
                           [&](int reader) { return has_integer_kernel(reader); });
    }

    void look_at(size_t n) {
        const Node& node = graph_.nodes[n];
        if (node.op == "Relu" && coding_.of(node.outputs[0]) >= 0) return;  // absorbed
        if (layer_of_node_[n] >= 0) {
            const ValueId data = node.inputs[0];
            if (coding_.of(data) < 0) code(data, data);
            auto& activation = coding_.activations[static_cast<size_t>(coding_.of(data))];
            activation.readers.push_back(static_cast<size_t>(layer_of_node_[n]));
        } else if (is_one_of(node, kMovers) && can_move_codes(node)) {
            const int a = coding_.of(node.inputs[0]);
            for (ValueId id : node.outputs) add(a, id);
            return;
        }
        const bool flattens = is_spatial_mean(graph_, node) && !node.int_or("keepdims", 1);
        if (flattens) return code_flattened(node.outputs[0]);
        for (ValueId id : node.outputs) {
            if (id == kNoValue || !wants_codes(id)) continue;
            // Outputs of the network stay float where they can: the integer kernel of a convolution
            // ends in codes.
            const bool ends_float =
                graph_.is_output(id) && node.op != "Conv" && uses_.readers(id).empty();
            if (ends_float) continue;
            code(id, behind_relu(id));
            Activation& made = coding_.activations.back();
            if (node.op == "Conv" || made.has_relu() || graph_.is_output(id)) {
                made.maker = layer_of_node_[n];
            }
        }
    }

    // Codes of the mean, then of its shape: two values have codes.
    void code_flattened(ValueId id) {
        if (graph_.is_output(id)) return;
        ++count_;
        code(id, id);
    }

    void code(ValueId before, ValueId value) {
        const int a = static_cast<int>(coding_.activations.size());
        coding_.activations.push_back({value, before, {}, {}, -1, true});
        if (before != value) {
            coding_.of_value[static_cast<size_t>(before)] = a;
            coding_.activations.back().values.push_back(before);
        }
        add(a, value);
    }
    void add(int activation, ValueId id) {
        coding_.of_value[static_cast<size_t>(id)] = activation;
        coding_.number[static_cast<size_t>(id)] = count_++;
        coding_.activations[static_cast<size_t>(activation)].values.push_back(id);
    }

    // Codes can be moved where the input is coded and what a Pad adds is zero.
    bool can_move_codes(const Node& node) const {
        if (coding_.of(node.inputs[0]) < 0) return false;
        if (std::ranges::count(node.outputs, kNoValue)) return false;
        if (node.op == "MaxPool" && node.outputs.size() > 1) return false;
        if (node.op != "Pad") return true;
        const Tensor* value = graph_.constant(node.input(2));
        return node.string_or("mode", "constant") == "constant" &&
               (node.input(2) == kNoValue ||
                (value && value->to_doubles() == std::vector<double>{0}));
    }

    // The value behind the ReLU that alone reads this one; the value itself where there is none.
    ValueId behind_relu(ValueId id) const {
        const auto& readers = uses_.readers(id);
        if (readers.size() != 1 || graph_.is_output(id)) return id;
        const Node& reader = graph_.nodes[static_cast<size_t>(readers[0])];
        return reader.op == "Relu" && reader.domain.empty() ? reader.outputs[0] : id;
    }

    const Graph& graph_;
    Uses uses_;
    std::vector<bool> captured_;
    std::vector<int> layer_of_node_;
    Coding coding_;
    int count_ = 0;
};

}  // namespace

bool is_spatial_mean(const Graph& graph, const Node& node) {
    if (node.op != "ReduceMean" || !node.domain.empty()) return false;
    const auto& shape = graph.value(node.inputs[0]).shape;
    if (!shape || shape->size() < 3) return false;
    std::vector<int64_t> axes = node.ints_or("axes", {});
    if (const Tensor* input = graph.constant(node.input(1))) axes = input->to_ints();
    const auto rank = static_cast<int64_t>(shape->size());
    for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
    std::sort(axes.begin(), axes.end());
    std::vector<int64_t> spatial(static_cast<size_t>(rank) - 2);
    std::iota(spatial.begin(), spatial.end(), 2);
    return axes == spatial;
}

Coding find_coding(const Graph& graph, std::span<const Layer> layers) {
    return Search(graph, layers).run();
}

}  // namespace adiabat::net
