// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/matmul.h"

#include <algorithm>

#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

constexpr int kGemmWithoutBias = 11;  // since this opset

class Rewriter {
  public:
    explicit Rewriter(Graph& graph)
        : graph_(graph), uses_(graph), names_(graph), gone_(graph.nodes.size(), false) {}

    int run() {
        int count = 0;
        for (Node& node : graph_.nodes) count += rewrite(node);
        std::vector<Node> kept;
        for (size_t n = 0; n < gone_.size(); ++n) {
            if (!gone_[n]) kept.push_back(std::move(graph_.nodes[n]));
        }
        graph_.nodes = std::move(kept);
        return count;
    }

  private:
    bool rewrite(Node& node) {
        if (node.op != "MatMul" || !node.domain.empty() || graph_.constant(node.input(0)))
            return false;
        const Tensor* weight = graph_.constant(node.input(1));
        const auto& shape = graph_.value(node.inputs[0]).shape;
        if (!weight || weight->type != DType::kFloat || weight->rank() != 2 || !shape ||
            shape->size() != 2) {
            return false;
        }
        const int add = bias_added(node.outputs[0], weight->shape[1]);
        if (add < 0 && graph_.opset < kGemmWithoutBias) return false;
        node.op = "Gemm";
        if (add < 0) return true;
        const Node& added = graph_.nodes[static_cast<size_t>(add)];
        node.inputs.push_back(
            as_vector(added.inputs[added.inputs[0] == node.outputs[0] ? 1 : 0], added));
        node.outputs[0] = added.outputs[0];
        gone_[static_cast<size_t>(add)] = true;
        return true;
    }

    // The node that alone reads the product and adds a vector to every row; -1 for none.
    int bias_added(ValueId product, int64_t columns) const {
        const auto& readers = uses_.readers(product);
        if (readers.size() != 1 || graph_.is_output(product)) return -1;
        const Node& add = graph_.nodes[static_cast<size_t>(readers[0])];
        if (add.op != "Add" || !add.domain.empty()) return -1;
        if (std::count(add.captured.begin(), add.captured.end(), product) > 0) return -1;
        const Tensor* bias = graph_.constant(add.inputs[add.inputs[0] == product ? 1 : 0]);
        const bool is_vector = bias && bias->type == DType::kFloat && bias->rank() >= 1 &&
                               bias->rank() <= 2 && bias->size() == columns &&
                               bias->shape.back() == columns;
        return is_vector ? readers[0] : -1;
    }

    ValueId as_vector(ValueId id, const Node& add) {
        const Tensor& bias = *graph_.constant(id);
        if (bias.rank() == 1) return id;
        Tensor flat = bias;
        flat.shape = {bias.size()};
        return graph_.add_constant(names_.take(graph_.value(add.outputs[0]).name + "_bias"),
                                   std::move(flat));
    }

    Graph& graph_;
    Uses uses_;
    UnusedNames names_;
    std::vector<bool> gone_;
};

}  // namespace

int matmuls_to_gemms(Graph& graph) { return Rewriter(graph).run(); }

}  // namespace adiabat::net
