// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/unshare.h"

#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

constexpr int64_t kLargestCopy = 65536;

using Inputs = std::vector<size_t>;

// Inputs that hold a number a channel, where they are constants.
Inputs channel_parameters(const Node& node) {
    static const std::unordered_map<std::string_view, Inputs> known = {
        {"Conv", {2}},
        {"ConvTranspose", {2}},
        {"Gemm", {2}},
        {"BatchNormalization", {1, 2, 3, 4}},
        {"InstanceNormalization", {1, 2}},
        {"GroupNormalization", {1, 2}},
        {"LayerNormalization", {1, 2}},
        {"PRelu", {1}},
        {"Add", {0, 1}},
        {"Sub", {0, 1}},
        {"Mul", {0, 1}},
        {"Div", {0, 1}},
    };
    if (!node.domain.empty()) return {};
    const auto found = known.find(node.op);
    return found == known.end() ? Inputs{} : found->second;
}

// Whose parameter it is: the weight's beside it, or the node's alone.
using Owner = std::pair<ValueId, size_t>;

Owner owner_of(const Graph& graph, size_t n) {
    const Node& node = graph.nodes[n];
    const bool has_weight = node.op == "Conv" || node.op == "ConvTranspose" || node.op == "Gemm";
    return has_weight && graph.constant(node.input(1)) ? Owner{node.input(1), 0}
                                                       : Owner{kNoValue, n};
}

class Unsharing {
  public:
    explicit Unsharing(Graph& graph) : graph_(graph) {}

    int run() {
        for (size_t n = 0; n < graph_.nodes.size(); ++n) {
            for (size_t k : channel_parameters(graph_.nodes[n])) {
                if (k < graph_.nodes[n].inputs.size()) visit(n, graph_.nodes[n].inputs[k]);
            }
        }
        return copied_;
    }

  private:
    void visit(size_t n, ValueId& id) {
        const Tensor* tensor = graph_.constant(id);
        if (!tensor || !is_real(tensor->type) || tensor->size() < 2 ||
            tensor->size() > kLargestCopy) {
            return;
        }
        const Owner owner = owner_of(graph_, n);
        const auto first = first_.try_emplace(id, owner).first;  // it keeps the original
        if (first->second == owner) return;
        const auto [copy, is_new] = copies_.try_emplace({id, owner}, kNoValue);
        if (is_new) {
            // Equal until somebody cuts one of them; the memory is one.
            const Value original = graph_.value(id);
            copy->second = graph_.add_value(names_.take(original.name + "_copy"), original.type,
                                            original.shape);
            graph_.value(copy->second).constant = original.constant;
            ++copied_;
        }
        id = copy->second;
    }

    Graph& graph_;
    std::map<ValueId, Owner> first_;
    std::map<std::pair<ValueId, Owner>, ValueId> copies_;
    UnusedNames names_{graph_};
    int copied_ = 0;
};

}  // namespace

int unshare_parameters(Graph& graph) { return Unsharing(graph).run(); }

}  // namespace adiabat::net
