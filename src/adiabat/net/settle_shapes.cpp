// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/settle_shapes.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/net/partial_ints.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

// Different remainders by 2, 3, 4, 5 and 7, so that arithmetic on them tells them apart.
constexpr std::array<int64_t, 3> kBatches = {1, 1022, 2055};

// Whether nothing but one batch is unknown of the inputs: images of free sizes are padded to
// multiples, halved and cropped, and samples of them prove nothing.
bool only_batch_is_unknown(const Graph& graph) {
    std::string batch;
    for (size_t k = 0; k < graph.inputs.size(); ++k) {
        const Value& input = graph.value(graph.inputs[k]);
        if (!input.shape) return false;
        for (size_t axis = 0; axis < input.shape->size(); ++axis) {
            if ((*input.shape)[axis] != kUnknown) continue;
            if (axis != 0 || (k > 0 && input.axis_name(0) != batch)) return false;
        }
        if (k == 0) batch = input.axis_name(0);
    }
    return true;
}

bool computes_shapes(const Graph& graph) {
    return std::any_of(graph.nodes.begin(), graph.nodes.end(), [](const Node& node) {
        return node.domain.empty() && (node.op == "Shape" || node.op == "Size");
    });
}

// The graph for one batch, folded; its values by name.
class Sample {
  public:
    Sample(const Graph& original, size_t k, FoldBudget budget) : graph_(original) {
        for (ValueId id : graph_.inputs) {
            auto& shape = graph_.value(id).shape;
            if (!shape->empty() && shape->front() == kUnknown) shape->front() = kBatches[k];
        }
        for (const Node& node : graph_.nodes) {
            for (ValueId id : node.outputs) {
                if (id != kNoValue) graph_.value(id).shape.reset();
            }
        }
        infer_shapes(graph_);
        fold_constants(graph_, budget);
        for (const Value& value : graph_.values) values_.emplace(value.name, &value);
    }

    const Tensor* constant(const std::string& name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? nullptr : found->second->constant.get();
    }
    const Shape* shape(const std::string& name) const {
        const auto found = values_.find(name);
        return found == values_.end() || !found->second->shape ? nullptr : &*found->second->shape;
    }

  private:
    Graph graph_;
    std::unordered_map<std::string, const Value*> values_;
};

class Settler {
  public:
    Settler(Graph& graph, const std::vector<Sample>& samples) : graph_(graph), samples_(samples) {}

    int run() {
        int settled = learn_shapes();
        for (Node& node : graph_.nodes) {
            for (size_t k = 0; k < node.inputs.size(); ++k) {
                if (node.inputs[k] == kNoValue || graph_.constant(node.inputs[k])) continue;
                const auto tensors = constants_of(node.inputs[k]);
                if (tensors.empty()) continue;
                const bool same =
                    std::all_of(tensors.begin(), tensors.end(), [&](const Tensor* tensor) {
                        return tensor->type == tensors[0]->type &&
                               tensor->shape == tensors[0]->shape &&
                               tensor->bytes == tensors[0]->bytes;
                    });
                if (same) {
                    settled += settle(node, k, *tensors[0]);
                } else if (node.op == "Reshape" && k == 1 && node.domain.empty()) {
                    settled += settle_target(node, tensors);
                }
            }
        }
        return settled;
    }

  private:
    // Shapes of which nothing was known: what is the same in all samples.
    int learn_shapes() {
        int learned = 0;
        for (Value& value : graph_.values) {
            if (value.shape || value.constant) continue;
            const Shape* first = samples_[0].shape(value.name);
            if (!first || value.name.empty()) continue;
            Shape shape = *first;
            bool same_rank = true;
            for (const Sample& sample : samples_) {
                const Shape* other = sample.shape(value.name);
                same_rank = same_rank && other && other->size() == shape.size();
                for (size_t k = 0; same_rank && k < shape.size(); ++k) {
                    if ((*other)[k] != (*first)[k]) shape[k] = kUnknown;
                }
            }
            if (!same_rank) continue;
            value.shape = std::move(shape);
            ++learned;
        }
        return learned;
    }

    // What the value is in each sample; empty where it is no small constant in one of them.
    std::vector<const Tensor*> constants_of(ValueId id) const {
        std::vector<const Tensor*> tensors;
        for (const Sample& sample : samples_) {
            const Tensor* tensor = sample.constant(graph_.value(id).name);
            if (!tensor || tensor->size() > static_cast<int64_t>(kMaxPartialInts)) return {};
            tensors.push_back(tensor);
        }
        return tensors;
    }

    int settle(Node& node, size_t k, Tensor tensor) {
        const std::string name = graph_.value(node.inputs[k]).name + "_settled";
        const auto [known, is_new] = settled_.try_emplace(name, kNoValue);
        if (is_new) known->second = graph_.add_constant(names_.take(name), std::move(tensor));
        node.inputs[k] = known->second;
        return 1;
    }

    // Entries that differ from batch to batch: one may be left to the others, those that repeat the
    // input's dimension in all samples say so.
    int settle_target(Node& node, const std::vector<const Tensor*>& tensors) {
        if (node.int_or("allowzero", 0) != 0 || tensors[0]->type != DType::kInt64) return 0;
        std::vector<int64_t> target = tensors[0]->to_ints();
        std::vector<size_t> differ;
        for (size_t k = 0; k < target.size(); ++k) {
            for (const Tensor* tensor : tensors) {
                if (tensor->shape != tensors[0]->shape) return 0;
                if (tensor->to_ints()[k] != target[k]) {
                    differ.push_back(k);
                    break;
                }
            }
        }
        bool rest_taken = false;
        for (size_t k = 0; k < target.size(); ++k) {
            const bool is_same = std::find(differ.begin(), differ.end(), k) == differ.end();
            rest_taken = rest_taken || (is_same && target[k] == -1);
        }
        for (size_t k : differ) {
            if (differ.size() == 1 && !rest_taken) {
                target[k] = -1;
            } else if (repeats_dimension(node, k, tensors)) {
                target[k] = 0;
            } else if (!rest_taken) {
                target[k] = -1;
                rest_taken = true;
            } else {
                return 0;
            }
        }
        const std::string name = graph_.value(node.outputs[0]).name + "_target";
        node.inputs[1] = graph_.add_constant(names_.take(name),
                                             Tensor::of<int64_t>({std::ssize(target)}, target));
        return 1;
    }

    bool repeats_dimension(const Node& node, size_t k,
                           const std::vector<const Tensor*>& tensors) const {
        for (size_t n = 0; n < samples_.size(); ++n) {
            const Shape* shape = samples_[n].shape(graph_.value(node.inputs[0]).name);
            if (!shape || k >= shape->size() || (*shape)[k] != tensors[n]->to_ints()[k]) {
                return false;
            }
        }
        return true;
    }

    Graph& graph_;
    const std::vector<Sample>& samples_;
    UnusedNames names_{graph_};
    std::unordered_map<std::string, ValueId> settled_;
};

}  // namespace

int settle_shapes(Graph& graph, const FoldBudget& budget) {
    if (!computes_shapes(graph) || !only_batch_is_unknown(graph)) return 0;
    std::vector<Sample> samples;
    try {
        for (size_t k = 0; k < kBatches.size(); ++k) samples.emplace_back(graph, k, budget);
    } catch (const InputError&) {
        return 0;  // no batch of that size
    }
    return Settler(graph, samples).run();
}

}  // namespace adiabat::net
