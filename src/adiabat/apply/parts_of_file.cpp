// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/parts_of_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "adiabat/apply/quantize.h"
#include "adiabat/onnx/wire.h"

namespace adiabat::apply {

namespace {

// Field numbers of onnx.proto.
constexpr int kModelGraph = 7, kGraphNode = 1, kGraphInitializer = 5;
constexpr int kReferenceBits = 4;

net::Shape shape_of(const net::Graph& graph, const net::Layer& layer,
                    const net::LayerState& state) {
    net::Shape shape = graph.constant(layer.weight)->shape;
    shape[static_cast<size_t>(layer.filter_axis)] = state.filters;
    shape[static_cast<size_t>(1 - layer.filter_axis)] = state.inputs;
    return shape;
}

}  // namespace

PartsOfFile::PartsOfFile(net::Graph graph, const plan::Network& network, onnx::Storage storage,
                         MeasuredLayers& measured)
    : graph_(std::move(graph)),
      network_(network),
      layers_(net::find_layers(graph_)),
      storage_(storage),
      input_of_(network.layers.size(), -1),
      coded_(network.activations.size()),
      parts_(network.layers.size()),
      measured_(measured) {
    for (size_t k = 0; k < network.layers.size(); ++k) {
        const auto here = std::find_if(layers_.begin(), layers_.end(), [&](const auto& layer) {
            return layer.weight == network.layers[k].weight;
        });
        at_.push_back(here == layers_.end() ? -1 : static_cast<int>(here - layers_.begin()));
    }
    for (size_t a = 0; a < network.activations.size(); ++a) {
        for (size_t k : network.activations[a].readers) input_of_[k] = static_cast<int>(a);
    }
    Quantized quantized = quantize(graph_, layers_, reference(), storage);
    prefix_ = quantized.prefix;
    find_what_changes(quantized);
    for (const LayerParameters& layer : quantized.layers) {
        const net::ValueId scale = layer.weight.input_scale;
        input_scale_.push_back(scale == net::kNoValue ? "" : quantized.graph.value(scale).name);
    }
    const uint64_t inside = encoded_bytes(quantized);
    outside_ = onnx::model_bytes(quantized.graph) - onnx::field_bytes(kModelGraph, inside);

    rest_ = inside;
    uint64_t shared = 0;
    const std::vector<int64_t> nothing(network.families());
    for (size_t k = 0; k < network.layers.size(); ++k) {
        if (at_[k] < 0) continue;
        const Part& here = part(k, reference_state(k));
        rest_ -= here.own;
        shared |= here.shared;
    }
    rest_ -= shared_bytes(shared);
    rest_ -= changing_bytes(nothing);
}

// Layers of one width that they may have, all activations coded that may be.
Widths PartsOfFile::reference() const {
    Widths widths;
    for (size_t a = 0; a < network_.activations.size(); ++a) {
        if (is_decided(a)) continue;
        widths.floats.push_back(network_.activations[a].value);
    }
    for (size_t k = 0; k < at_.size(); ++k) {
        if (at_[k] >= 0) widths.layers.push_back(plan::allowed_width(network_, k, kReferenceBits));
    }
    return widths;
}

net::LayerState PartsOfFile::reference_state(size_t layer) const {
    const std::vector<int64_t> nothing(network_.families());
    net::LayerState state =
        network_.costs.state(layer, nothing, plan::allowed_width(network_, layer, kReferenceBits));
    const int input = input_of_[layer];
    if (input >= 0 && !is_decided(static_cast<size_t>(input)))
        state.activation_bits = net::kFloatBits;
    return state;
}

uint64_t PartsOfFile::encoded_bytes(Quantized& quantized) const {
    std::vector<onnx::WeightCodes> weights;
    for (const LayerParameters& layer : quantized.layers) weights.push_back(layer.weight);
    onnx::encode_weights(quantized.graph, weights, storage_, prefix_, true);
    return onnx::graph_bytes(quantized.graph);
}

// Of two whole files, one in which it alone is float, less what layers that read it have there.
int64_t PartsOfFile::coded_bytes(size_t activation) const {
    std::optional<int64_t>& known = coded_[activation];
    if (!known && !is_decided(activation)) known = 0;
    if (known) return *known;
    Widths widths = reference();
    Quantized coded = quantize(graph_, layers_, widths, storage_);
    widths.floats = {network_.activations[activation].value};
    Quantized real = quantize(graph_, layers_, widths, storage_);
    known = static_cast<int64_t>(encoded_bytes(coded)) - static_cast<int64_t>(encoded_bytes(real));
    for (size_t k : network_.activations[activation].readers) {
        net::LayerState state = reference_state(k);
        *known -= static_cast<int64_t>(part(k, state).own);
        state.activation_bits = net::kFloatBits;
        *known += static_cast<int64_t>(part(k, state).own);
    }
    return *known;
}

void PartsOfFile::find_what_changes(const Quantized& quantized) {
    for (const Quantized::Copied& copy : quantized.copied) {
        const auto rank = graph_.constant(copy.original)->rank();
        bool cut = false;
        for (int64_t axis = 0; axis < rank; ++axis) {
            cut = cut || network_.coupling.labels_of(copy.original, axis);
        }
        if (cut) constants_.push_back({copy.original, quantized.graph.value(copy.here).name});
    }
    for (size_t n = 0; n < graph_.nodes.size(); ++n) {
        const net::Node& node = graph_.nodes[n];
        const bool grouped = node.int_or("group", 1) != 1 || node.op == "GroupNormalization";
        if (!grouped || !node.domain.empty() || quantized.node_of[n] < 0) continue;
        grouped_.push_back(
            {n, quantized.graph.nodes[static_cast<size_t>(quantized.node_of[n])], {}});
    }
    if (grouped_.empty()) return;
    for (const net::Value& value : quantized.graph.values) names_.add_value(value.name);
    names_.opset = quantized.graph.opset;
}

uint64_t PartsOfFile::changing_bytes(std::span<const int64_t> cut) const {
    uint64_t bytes = 0;
    for (const Constant& constant : constants_) {
        bytes += onnx::field_bytes(
            kGraphInitializer,
            onnx::tensor_proto_bytes(graph_.constant(constant.original)->type,
                                     network_.costs.shape_left(constant.original, cut),
                                     constant.name));
    }
    for (const Grouped& grouped : grouped_) {
        const net::Node& node = graph_.nodes[grouped.node];
        const int64_t groups = network_.costs.groups_left(node, cut);
        const auto [found, is_new] = grouped.bytes.try_emplace(groups, 0);
        if (is_new) {
            net::Node written = grouped.written;
            const bool normalizes = node.op == "GroupNormalization";
            written.attributes[normalizes ? "num_groups" : "group"] = groups;
            if (groups == 1 && node.op == "Conv") written.attributes.erase("group");
            found->second = onnx::field_bytes(kGraphNode, onnx::node_proto_bytes(names_, written));
        }
        bytes += found->second;
    }
    return bytes;
}

uint64_t PartsOfFile::shared_bit(const std::string& name, uint64_t bytes) const {
    for (size_t k = 0; k < measured_.shared.size(); ++k) {
        if (measured_.shared[k].name == name) return uint64_t{1} << k;
    }
    ADIABAT_CHECK(measured_.shared.size() < 64, "{} shared constants", measured_.shared.size());
    measured_.shared.push_back({name, bytes});
    return uint64_t{1} << (measured_.shared.size() - 1);
}

uint64_t PartsOfFile::shared_bytes(uint64_t set) const {
    uint64_t bytes = 0;
    for (size_t k = 0; k < measured_.shared.size(); ++k) {
        if (set >> k & 1) bytes += measured_.shared[k].bytes;
    }
    return bytes;
}

const PartsOfFile::Part& PartsOfFile::part(size_t layer, const net::LayerState& state) const {
    const uint64_t reads_float = state.activation_bits == net::kFloatBits ? 1 : 0;
    const uint64_t key = reads_float << 63 | static_cast<uint64_t>(state.filters) << 32 |
                         static_cast<uint64_t>(state.inputs) << 4 |
                         static_cast<uint64_t>(state.bits);
    Parts& parts = parts_[layer];
    if (parts.last_key == key) return *parts.last;
    if (!parts.known) parts.known = &measured_.layers[looks(layer)];
    auto found = parts.known->find(key);
    if (found == parts.known->end()) {
        found = parts.known->emplace(key, measure(layer, state)).first;
    }
    parts.last_key = key;
    parts.last = &found->second;
    return found->second;
}

// Names are made of the prefix, the layer's number and that of its input's scale.
std::string PartsOfFile::looks(size_t layer) const {
    const auto here = static_cast<size_t>(at_[layer]);
    const net::Layer& facts = layers_[here];
    return fmt::format("{} {} {} {} {} {}", prefix_, std::to_string(here).size(),
                       input_scale_[here].size(), facts.filter_axis,
                       graph_.nodes[static_cast<size_t>(facts.node)].op,
                       fmt::join(graph_.constant(facts.weight)->shape, ","));
}

PartsOfFile::Part PartsOfFile::measure(size_t layer, const net::LayerState& state) const {
    Part part;
    net::Graph alone;
    alone.opset = graph_.opset < 21 && storage_ == onnx::Storage::kInt4 ? 21 : graph_.opset;
    const auto here = static_cast<size_t>(at_[layer]);
    const net::ValueId input_scale =
        state.activation_bits == net::kFloatBits
            ? net::kNoValue
            : alone.add_constant(input_scale_[here], net::Tensor(net::DType::kFloat, {}));
    const net::Layer& facts = layers_[here];
    const bool is_gemm = graph_.nodes[static_cast<size_t>(facts.node)].op == "Gemm";
    const auto parameters = add_parameters(alone, facts, shape_of(graph_, facts, state), state.bits,
                                           is_gemm, at_[layer], input_scale, prefix_);
    onnx::encode_weights(alone, {parameters.weight}, storage_, prefix_, true);
    for (const net::Node& node : alone.nodes) {
        part.own += onnx::field_bytes(kGraphNode, onnx::node_proto_bytes(alone, node));
    }
    for (const net::Value& value : alone.values) {
        if (!value.constant || value.name == input_scale_[here]) continue;
        const uint64_t bytes = onnx::field_bytes(
            kGraphInitializer,
            onnx::tensor_proto_bytes(value.constant->type, value.constant->shape, value.name));
        if (onnx::is_shared_by_decoders(value.name, prefix_)) {
            part.shared |= shared_bit(value.name, bytes);
        } else {
            part.own += bytes;
        }
    }
    return part;
}

net::LayerState PartsOfFile::state(size_t layer, std::span<const int64_t> cut,
                                   std::span<const int> bits) const {
    net::LayerState state = network_.costs.state(layer, cut, bits[layer]);
    if (input_of_[layer] >= 0) {
        state.activation_bits = bits[at_.size() + static_cast<size_t>(input_of_[layer])];
    }
    return state;
}

int64_t PartsOfFile::layer_bytes(size_t tensor, std::span<const int64_t> cut, int bits) const {
    if (tensor >= at_.size()) {
        const int64_t coded = coded_bytes(tensor - at_.size());
        return std::max<int64_t>(bits == net::kFloatBits ? -coded : coded, 0);
    }
    net::LayerState state = network_.costs.state(tensor, cut, bits);
    const int input = input_of_[tensor];
    const bool is_fixed = input < 0 || !is_decided(static_cast<size_t>(input));
    if (is_fixed) state.activation_bits = input < 0 ? net::kActivationBits : net::kFloatBits;
    const uint64_t own = part(tensor, state).own;
    if (is_fixed) return static_cast<int64_t>(own);
    state.activation_bits = net::kFloatBits;
    return static_cast<int64_t>(std::min(own, part(tensor, state).own));
}

int64_t PartsOfFile::other_bytes(std::span<const int64_t> cut, std::span<const int> bits) const {
    uint64_t shared = 0;
    for (size_t k = 0; k < at_.size(); ++k) {
        if (at_[k] < 0 || bits[k] <= 0) continue;  // gone, or not decided
        shared |= part(k, network_.costs.state(k, cut, bits[k])).shared;
    }
    auto others =
        static_cast<int64_t>(outside_ + rest_ + shared_bytes(shared) + changing_bytes(cut));
    for (size_t a = 0; a < coded_.size(); ++a) others -= std::max<int64_t>(coded_bytes(a), 0);
    return others;
}

int64_t PartsOfFile::bytes(std::span<const int64_t> cut, std::span<const int> bits) const {
    uint64_t inside = rest_;
    uint64_t shared = 0;
    for (size_t k = 0; k < at_.size(); ++k) {
        if (at_[k] < 0) continue;
        const Part& here = part(k, state(k, cut, bits));
        inside += here.own;
        shared |= here.shared;
    }
    for (size_t a = 0; a < coded_.size(); ++a) {
        if (bits[at_.size() + a] == net::kFloatBits) {
            inside -= static_cast<uint64_t>(coded_bytes(a));
        }
    }
    inside += shared_bytes(shared) + changing_bytes(cut);
    return static_cast<int64_t>(outside_ + onnx::field_bytes(kModelGraph, inside));
}

}  // namespace adiabat::apply
