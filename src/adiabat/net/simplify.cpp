// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/simplify.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "adiabat/net/fold.h"
#include "adiabat/net/fuse.h"
#include "adiabat/net/matmul.h"
#include "adiabat/net/settle_shapes.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/unshare.h"

namespace adiabat::net {

namespace {

bool is_dropout_in_inference(const Graph& graph, const Node& node) {
    const bool has_mask = node.outputs.size() > 1 && node.outputs[1] != kNoValue;
    if (has_mask || (graph.opset < 7 && node.int_or("is_test", 0) == 0)) return false;
    // Since opset 12 training is an input; one that is computed could be true.
    const ValueId training = node.input(2);
    if (training == kNoValue) return true;
    const Tensor* constant = graph.constant(training);
    return constant && std::all_of(constant->bytes.begin(), constant->bytes.end(),
                                   [](uint8_t byte) { return byte == 0; });
}

// Integers that are an attribute or a constant input; nothing where they are neither known nor
// left out.
std::optional<std::vector<int64_t>> ints_of(const Graph& graph, const Node& node,
                                            const char* attribute, size_t input) {
    if (node.has(attribute)) return node.ints_or(attribute, {});
    if (node.input(input) == kNoValue) return std::vector<int64_t>{};
    const Tensor* constant = graph.constant(node.input(input));
    if (!constant) return std::nullopt;
    return constant->to_ints();
}

bool all_are(const std::optional<std::vector<int64_t>>& values, int64_t value) {
    return values &&
           std::all_of(values->begin(), values->end(), [&](int64_t v) { return v == value; });
}

// Elements that keep their order and a shape that stays: one unknown dimension is decided by the
// others.
bool keeps_shape(const Graph& graph, const Node& node, std::ptrdiff_t unknown_allowed) {
    const auto &from = graph.value(node.inputs[0]).shape, &to = graph.value(node.outputs[0]).shape;
    if (!from || !to || *from != *to) return false;
    return std::count(from->begin(), from->end(), kUnknown) <= unknown_allowed &&
           std::find(from->begin(), from->end(), 0) == from->end();
}

bool takes_all(const Graph& graph, const Node& slice) {
    const auto starts = ints_of(graph, slice, "starts", 1), ends = ints_of(graph, slice, "ends", 2);
    const auto axes = ints_of(graph, slice, "axes", 3), steps = ints_of(graph, slice, "steps", 4);
    if (!starts || !ends || !axes || starts->size() != ends->size() || !all_are(steps, 1)) {
        return false;
    }
    if (!axes->empty() && axes->size() != starts->size()) return false;
    const auto& shape = graph.value(slice.inputs[0]).shape;
    for (size_t k = 0; k < starts->size(); ++k) {
        const int64_t start = (*starts)[k], end = (*ends)[k];
        // Writers say "to the end" with the largest integer they have.
        if (start == 0 && end >= std::numeric_limits<int32_t>::max()) continue;
        if (!shape) return false;
        const auto axis = normal_axis(axes->empty() ? static_cast<int64_t>(k) : (*axes)[k],
                                      static_cast<int64_t>(shape->size()));
        const int64_t size = axis ? (*shape)[static_cast<size_t>(*axis)] : kUnknown;
        if (size == kUnknown || slice_range(start, end, 1, size).count != size) return false;
    }
    return true;
}

bool is_in_order(const Graph& graph, const Node& transpose) {
    auto order = transpose.ints_or("perm", {});
    const auto& shape = graph.value(transpose.inputs[0]).shape;
    if (order.empty()) return shape && shape->size() < 2;  // turned around
    return std::is_sorted(order.begin(), order.end());
}

// Whether the first output is the first input, element by element. Types and shapes are used as far
// as they are known.
bool passes_through(const Graph& graph, const Node& node) {
    if (!node.domain.empty() || node.inputs.empty() || node.inputs[0] == kNoValue) return false;
    if (node.outputs.empty() || node.outputs[0] == kNoValue) return false;
    const std::string& op = node.op;
    if (op == "Identity") return true;
    if (op == "Dropout") return is_dropout_in_inference(graph, node);
    if (node.outputs.size() != 1) return false;
    if (op == "Cast") {
        const auto type = static_cast<int64_t>(graph.value(node.inputs[0]).type);
        return type != 0 && node.has("to") &&
               !std::get_if<std::string>(&node.attributes.at("to")) && node.int_or("to", 0) == type;
    }
    if (op == "Concat" || op == "Sum" || op == "Mean" || op == "Max" || op == "Min") {
        return node.inputs.size() == 1;
    }
    if (op == "Reshape" || op == "Flatten" || op == "Squeeze" || op == "Unsqueeze") {
        return keeps_shape(graph, node, 1);
    }
    if (op == "Expand") return keeps_shape(graph, node, 0);
    if (op == "Transpose") return is_in_order(graph, node);
    if (op == "Slice") return takes_all(graph, node);
    if (op == "Pad") {
        const char* pads = node.has("paddings") ? "paddings" : "pads";
        return (node.has(pads) || node.input(1) != kNoValue) &&
               all_are(ints_of(graph, node, pads, 1), 0);
    }
    return false;
}

// Values that are becoming one: each leads to the one that stands for it now.
class Merged {
  public:
    explicit Merged(size_t values) : leads_to_(values) {
        std::iota(leads_to_.begin(), leads_to_.end(), 0);
    }
    ValueId operator()(ValueId id) {
        if (id == kNoValue) return id;
        while (at(id) != id) id = at(id) = at(at(id));
        return id;
    }
    void merge(ValueId gone, ValueId stays) { at(gone) = stays; }

  private:
    ValueId& at(ValueId id) { return leads_to_[static_cast<size_t>(id)]; }
    std::vector<ValueId> leads_to_;
};

}  // namespace

int bypass_identities(Graph& graph) {
    // Names that others know: inputs, outputs, what graphs inside attributes read. Constants keep
    // theirs too, they are shared.
    std::vector<bool> outside = captured_values(graph);
    for (ValueId id : graph.outputs) outside[static_cast<size_t>(id)] = true;
    std::vector<bool> fixed = outside;
    for (ValueId id : graph.inputs) fixed[static_cast<size_t>(id)] = true;

    Merged now(graph.values.size());
    std::vector<Node> kept;
    int bypassed = 0;
    for (Node& node : graph.nodes) {
        for (ValueId& id : node.inputs) id = now(id);
        if (passes_through(graph, node)) {
            const ValueId from = node.inputs[0], to = node.outputs[0];
            const bool may_rename = !fixed[static_cast<size_t>(from)] && !graph.constant(from);
            if (!outside[static_cast<size_t>(to)]) {
                now.merge(to, from);  // its readers read what it passed on
                ++bypassed;
                continue;
            }
            if (may_rename) {
                now.merge(from, to);  // who produced `from` produces `to`, who read it reads `to`
                ++bypassed;
                continue;
            }
        }
        kept.push_back(std::move(node));
    }
    for (Node& node : kept) {
        for (ValueId& id : node.inputs) id = now(id);
        for (ValueId& id : node.outputs) id = now(id);
    }
    graph.nodes = std::move(kept);
    return bypassed;
}

void simplify(Graph& graph) {
    FoldBudget budget(graph);
    simplify(graph, budget);
}

void simplify(Graph& graph, FoldBudget& budget) {
    // Every round but the last removes a node; a network has one or two of what hides what.
    constexpr int kMostRounds = 16;
    infer_shapes(graph);  // what changes nothing is known by its shapes
    int changes = 1;
    for (int round = 0; changes > 0 && round < kMostRounds; ++round) {
        // Shared parameters behind an Identity stay shared if nobody folds it first.
        changes = bypass_identities(graph);
        changes += fold_constants(graph, budget);
        changes += matmuls_to_gemms(graph);
        changes += fuse_batch_norm(graph);
        remove_dead(graph);
        if (changes == 0) changes = settle_shapes(graph, budget);
    }
    unshare_parameters(graph);
    infer_shapes(graph);
}

}  // namespace adiabat::net
