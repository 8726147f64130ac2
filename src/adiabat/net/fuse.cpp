// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/fuse.h"

#include <algorithm>
#include <cmath>

#include "adiabat/net/evaluate.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::net {

namespace {

// y = scale y + shift, by channel.
struct Affine {
    std::vector<double> scale, shift;
};

bool is_float(const Tensor* tensor) { return tensor && tensor->type == DType::kFloat; }

std::optional<Affine> affine_of(const Graph& graph, const Node& bn) {
    const bool plain = bn.op == "BatchNormalization" && bn.domain.empty() &&
                       bn.inputs.size() == 5 && bn.int_or("training_mode", 0) == 0 &&
                       bn.int_or("spatial", 1) != 0;
    // Until opset 7 inference had to be asked for; extra outputs are for training.
    if (!plain || (graph.opset < 7 && bn.int_or("is_test", 0) == 0)) return std::nullopt;
    const auto unwanted = std::count(bn.outputs.begin(), bn.outputs.end(), kNoValue);
    if (bn.outputs.empty() || bn.outputs[0] == kNoValue ||
        unwanted + 1 != static_cast<std::ptrdiff_t>(bn.outputs.size())) {
        return std::nullopt;
    }
    const Tensor* parameters[4];
    for (size_t k = 0; k < 4; ++k) {
        parameters[k] = graph.constant(bn.input(k + 1));
        if (!is_float(parameters[k]) || parameters[k]->shape != parameters[0]->shape ||
            parameters[k]->rank() != 1) {
            return std::nullopt;
        }
    }
    const auto gamma = parameters[0]->as<float>(), beta = parameters[1]->as<float>();
    const auto mean = parameters[2]->as<float>(), variance = parameters[3]->as<float>();
    const double epsilon = double{bn.float_or("epsilon", 1e-5f)};
    Affine affine;
    for (size_t c = 0; c < gamma.size(); ++c) {
        const double scale = double{gamma[c]} / std::sqrt(double{variance[c]} + epsilon);
        affine.scale.push_back(scale);
        affine.shift.push_back(double{beta[c]} - scale * double{mean[c]});
    }
    for (double scale : affine.scale) {
        if (!std::isfinite(scale)) return std::nullopt;
    }
    return affine;
}

// The weight with the output channel's scale on every element. `channel_of(k)` is element k's
// channel.
template <typename ChannelOf>
Tensor scaled(const Tensor& weight, const std::vector<double>& scale, ChannelOf channel_of) {
    Tensor result = weight;
    const auto elements = result.as<float>();
    for (size_t k = 0; k < elements.size(); ++k) {
        elements[k] = static_cast<float>(scale[channel_of(k)] * double{elements[k]});
    }
    return result;
}

// The bias after the fold; `bias` may be null (none) or hold one element for all channels.
Tensor shifted(const Tensor* bias, const Affine& affine, double factor) {
    std::vector<float> result(affine.scale.size());
    for (size_t c = 0; c < result.size(); ++c) {
        const double before =
            !bias ? 0.0 : double{bias->as<float>()[bias->size() == 1 ? 0 : c]} * factor;
        result[c] = static_cast<float>(affine.scale[c] * before + affine.shift[c]);
    }
    return Tensor::of<float>({static_cast<int64_t>(result.size())}, result);
}

struct Folded {
    Tensor weight, bias;
};

std::optional<Folded> fold_into_conv(const Graph& graph, const Node& conv, const Affine& affine) {
    const Tensor *weight = graph.constant(conv.input(1)), *bias = graph.constant(conv.input(2));
    const size_t filters = affine.scale.size();
    const bool has_bias = conv.input(2) != kNoValue;
    if (!is_float(weight) || weight->rank() < 3 || (has_bias && !is_float(bias)))
        return std::nullopt;
    if (weight->shape[0] != static_cast<int64_t>(filters)) return std::nullopt;
    if (has_bias && bias->shape != Shape{weight->shape[0]}) return std::nullopt;
    const size_t each =
        std::max<size_t>(1, weight->as<float>().size() / std::max<size_t>(1, filters));
    return Folded{scaled(*weight, affine.scale, [each](size_t k) { return k / each; }),
                  shifted(bias, affine, 1.0)};
}

// Y = alpha A B + beta C; the output's channels are the columns of B, its rows with transB.
std::optional<Folded> fold_into_gemm(const Graph& graph, const Node& gemm, const Affine& affine) {
    const Tensor *weight = graph.constant(gemm.input(1)), *bias = graph.constant(gemm.input(2));
    const bool has_bias = gemm.input(2) != kNoValue;
    if (!is_float(weight) || weight->rank() != 2 || (has_bias && !is_float(bias)))
        return std::nullopt;
    const auto columns = static_cast<size_t>(weight->shape[1]);
    const bool rows_are_channels = gemm.int_or("transB", 0) != 0;
    const int64_t channels = weight->shape[rows_are_channels ? 0 : 1];
    if (channels != static_cast<int64_t>(affine.scale.size()) || columns == 0) return std::nullopt;
    // A bias of one row or one number; a matrix of its own for every row of the batch is left
    // alone.
    const bool fits = !has_bias || bias->size() == 1 ||
                      (bias->size() == channels && bias->shape.back() == channels);
    if (!fits) return std::nullopt;
    return Folded{scaled(*weight, affine.scale,
                         [=](size_t k) { return rows_are_channels ? k / columns : k % columns; }),
                  shifted(bias, affine, double{gemm.float_or("beta", 1.0f)})};
}

class Fuser {
  public:
    explicit Fuser(Graph& graph) : graph_(graph), uses_(graph) {}

    int run() {
        std::vector<bool> dropped(graph_.nodes.size(), false);
        for (size_t n = 0; n < graph_.nodes.size(); ++n) dropped[n] = fuse(graph_.nodes[n]);
        std::vector<Node> kept;
        for (size_t n = 0; n < dropped.size(); ++n) {
            if (!dropped[n]) kept.push_back(std::move(graph_.nodes[n]));
        }
        graph_.nodes = std::move(kept);
        return static_cast<int>(std::count(dropped.begin(), dropped.end(), true));
    }

  private:
    bool fuse(const Node& bn) {
        const auto affine = affine_of(graph_, bn);
        if (!affine) return false;
        const ValueId between = bn.inputs[0];
        const int producer = uses_.producer(between);
        if (producer < 0 || uses_.readers(between).size() != 1 || graph_.is_output(between)) {
            return false;
        }
        Node& before = graph_.nodes[static_cast<size_t>(producer)];
        if (!before.domain.empty() || before.outputs.size() != 1 || before.outputs[0] != between)
            return false;
        std::optional<Folded> folded;
        if (before.op == "Conv") folded = fold_into_conv(graph_, before, *affine);
        if (before.op == "Gemm") folded = fold_into_gemm(graph_, before, *affine);
        if (!folded || !is_storable(folded->weight) || !is_storable(folded->bias)) return false;
        replace(before, 1, std::move(folded->weight), bn);
        replace(before, 2, std::move(folded->bias), bn);
        before.attributes.erase("beta");  // Gemm's factor of the bias is in the bias now
        before.outputs[0] = bn.outputs[0];
        return true;
    }

    // Gives the node another constant: under the old name if nobody else reads it, else under a new
    // one.
    void replace(Node& node, size_t input, Tensor tensor, const Node& bn) {
        if (node.inputs.size() <= input) node.inputs.resize(input + 1, kNoValue);
        ValueId& id = node.inputs[input];
        if (id != kNoValue && uses_.readers(id).size() == 1 && !graph_.is_output(id)) {
            Value& value = graph_.value(id);
            value.shape = tensor.shape;
            value.constant = std::make_shared<const Tensor>(std::move(tensor));
            return;
        }
        const std::string suffix = input == 1 ? "_weight" : "_bias";
        const std::string wanted = graph_.value(bn.outputs[0]).name + suffix;
        id = graph_.add_constant(names_.take(wanted), std::move(tensor));
    }

    Graph& graph_;
    Uses uses_;
    UnusedNames names_{graph_};
};

}  // namespace

int fuse_batch_norm(Graph& graph) { return Fuser(graph).run(); }

}  // namespace adiabat::net
