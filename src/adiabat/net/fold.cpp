// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/fold.h"

#include <algorithm>
#include <cmath>

#include "adiabat/net/evaluate.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

class Folder {
  public:
    Folder(Graph& graph, FoldBudget& budget)
        : graph_(graph), budget_(budget), shapes_(graph), readers_(graph.values.size(), 0) {
        for (const Node& node : graph.nodes) {
            for (ValueId id : node.inputs) {
                if (id != kNoValue) ++readers_[static_cast<size_t>(id)];
            }
            for (ValueId id : node.captured) ++readers_[static_cast<size_t>(id)];
        }
        for (ValueId id : graph.outputs) ++readers_[static_cast<size_t>(id)];
    }

    int run() {
        std::vector<Node> kept;
        kept.reserve(graph_.nodes.size());
        int folded = 0;
        for (Node& node : graph_.nodes) {
            shapes_.visit(node);
            if (fold(node)) {
                ++folded;
                release(node);
            } else {
                folded += settle_target(node) || settle_sizes(node);
                kept.push_back(std::move(node));
            }
        }
        graph_.nodes = std::move(kept);
        return folded;
    }

  private:
    bool is_affordable(const Node& node) {
        const auto cost = evaluation_cost(graph_, node);
        if (!cost || cost->result_bytes > budget_.largest || cost->work_bytes > budget_.work_left) {
            return false;
        }
        budget_.work_left -= cost->work_bytes;
        return true;
    }
    bool depends_on_constants_alone(const Node& node) const {
        return std::all_of(node.inputs.begin(), node.inputs.end(),
                           [&](ValueId id) { return id == kNoValue || graph_.constant(id); });
    }

    bool fold(const Node& node) {
        if (!depends_on_constants_alone(node) || !is_affordable(node)) return fold_shape(node);
        if (auto results = evaluate(graph_, node);
            results && std::all_of(results->begin(), results->end(), is_storable)) {
            for (size_t k = 0; k < results->size(); ++k) {
                make_constant(node.outputs[k], std::move((*results)[k]));
            }
            return true;
        }
        return fold_shape(node);
    }

    // Integers that shapes alone decide, Shape itself among them.
    bool fold_shape(const Node& node) {
        if (node.outputs.size() != 1 || node.outputs[0] == kNoValue) return false;
        const Value& value = graph_.value(node.outputs[0]);
        const PartialInts* known = shapes_.partial().find(node.outputs[0]);
        if (!known || !known->all_known() || value.type != DType::kInt64) return false;
        const auto ints = known->values();
        const Shape shape = known->scalar ? Shape{} : Shape{static_cast<int64_t>(ints.size())};
        make_constant(node.outputs[0], Tensor::of<int64_t>(shape, ints));
        return true;
    }

    void make_constant(ValueId id, Tensor tensor) {
        Value& value = graph_.value(id);
        value.type = tensor.type;
        value.shape = tensor.shape;
        value.constant = std::make_shared<const Tensor>(std::move(tensor));
        shapes_.learn(id);
    }

    // A constant that was read by folded nodes alone gives its memory back.
    void release(const Node& node) {
        for (ValueId id : node.inputs) {
            if (id == kNoValue) continue;
            if (--readers_[static_cast<size_t>(id)] == 0) graph_.value(id).constant.reset();
        }
    }

    // Reshape to {?, 2, 12, 8, 8} becomes Reshape to {-1, 2, 12, 8, 8}. A second unknown entry
    // stays as it is, and so does a target with a zero or a -1, beside which -1 could mean
    // something else.
    bool settle_target(Node& node) {
        if (node.op != "Reshape" || !node.domain.empty() || graph_.constant(node.input(1)) ||
            node.outputs.size() != 1 || node.outputs[0] == kNoValue)
            return false;
        const PartialInts* target = shapes_.partial().find(node.input(1));
        if (!target || target->scalar || target->unknown() != 1) return false;
        std::vector<int64_t> entries;
        for (const auto& entry : target->entries) {
            if (entry && *entry <= 0) return false;
            entries.push_back(entry.value_or(-1));
        }
        const auto count = static_cast<int64_t>(entries.size());
        --readers_[static_cast<size_t>(node.inputs[1])];
        node.inputs[1] =
            graph_.add_constant(names_.take(graph_.value(node.outputs[0]).name + "_shape"),
                                Tensor::of<int64_t>({count}, entries));
        readers_.push_back(1);
        return true;
    }

    // Resize to sizes {N, 24, 16, 16}, N the batch: the same by scales, which leave the batch free.
    bool settle_sizes(Node& node) {
        if (node.op != "Resize" || !node.domain.empty() || node.input(3) == kNoValue ||
            node.has("axes") ||
            node.string_or("keep_aspect_ratio_policy", "stretch") != "stretch" ||
            node.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
            return false;
        }
        const Value& x = graph_.value(node.input(0));
        const PartialInts* sizes = shapes_.partial().find(node.input(3));
        if (!sizes || !sizes->plain || sizes->unknown() != 1 || sizes->entries[0] || !x.shape ||
            x.shape->size() != sizes->entries.size()) {
            return false;
        }
        std::vector<float> scales = {1};
        for (size_t k = 1; k < x.shape->size(); ++k) {
            const auto in = static_cast<float>((*x.shape)[k]);
            const auto out = static_cast<float>(*sizes->entries[k]);
            if (in <= 0 || out <= 0) return false;
            scales.push_back(out / in);
            if (std::floor(scales.back() * in) != out) return false;
        }
        --readers_[static_cast<size_t>(node.inputs[3])];
        if (node.inputs[2] != kNoValue) --readers_[static_cast<size_t>(node.inputs[2])];
        node.inputs.resize(3);
        node.inputs[2] =
            graph_.add_constant(names_.take(graph_.value(node.outputs[0]).name + "_scales"),
                                Tensor::of<float>({static_cast<int64_t>(scales.size())}, scales));
        readers_.push_back(1);
        return true;
    }

    Graph& graph_;
    FoldBudget& budget_;
    ShapeInference shapes_;
    std::vector<int> readers_;  // inputs and graph outputs that a value serves, by id
    UnusedNames names_{graph_};
};

}  // namespace

FoldBudget::FoldBudget(const Graph& graph) {
    // Weights that decode themselves grow from a bit to a float.
    constexpr int64_t kSmallResult = int64_t{16} << 20, kLargestExpansion = 32;
    constexpr int64_t kSmallWork = int64_t{256} << 20, kMostWork = 1024;
    int64_t stored = 0;
    for (const Value& value : graph.values) {
        if (value.constant) stored += static_cast<int64_t>(value.constant->bytes.size());
    }
    largest = kSmallResult + kLargestExpansion * stored;
    work_left = kSmallWork + kMostWork * stored;
}

int fold_constants(Graph& graph, FoldBudget& budget) {
    const int folded = Folder(graph, budget).run();
    remove_dead(graph);
    return folded;
}

int fold_constants(Graph& graph) {
    FoldBudget budget(graph);
    return fold_constants(graph, budget);
}

}  // namespace adiabat::net
