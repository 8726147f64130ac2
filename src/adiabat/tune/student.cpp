// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/student.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include "adiabat/net/describe.h"
#include "adiabat/net/unused_names.h"
#include "adiabat/onnx/self_decoding.h"

namespace adiabat::tune {

using net::DType;
using net::Graph;
using net::kNoValue;
using net::Node;
using net::Tensor;
using net::ValueId;

namespace {

// A bias of 2^30 units leaves the sum of products room in 32 bits.
constexpr double kMostBiasUnits = 1 << 30;
constexpr double kLeastOfScale = 0.01;  // a scale stays at this share of what it was
constexpr double kLeastUnit = 0.1;      // of the layer's mean, for filters of almost nothing

// The axis of a weight along which its filters lie.
size_t filter_axis(const Node& node, size_t rank) {
    if (node.op == "Conv") return 0;
    if (node.op == "ConvTranspose") return 1;
    if (node.op == "Gemm") return node.int_or("transB", 0) != 0 ? 0 : 1;
    return rank - 1;
}

Grid grid_along(const net::Shape& shape, size_t axis) {
    Grid grid;
    grid.filters = shape.at(axis);
    for (size_t k = axis + 1; k < shape.size(); ++k) grid.inner *= shape[k];
    return grid;
}

// The root mean square of every filter's weights.
std::vector<float> sizes(std::span<const float> weights, const Grid& grid) {
    std::vector<double> squares(static_cast<size_t>(grid.filters), 0.0);
    for (size_t k = 0; k < weights.size(); ++k) {
        squares[grid.filter(k)] +=
            static_cast<double>(weights[k]) * static_cast<double>(weights[k]);
    }
    double mean = 0;
    for (double& x : squares) {
        x = std::sqrt(x * static_cast<double>(grid.filters) / static_cast<double>(weights.size()));
        mean += x / static_cast<double>(squares.size());
    }
    std::vector<float> result;
    for (double x : squares) {
        result.push_back(static_cast<float>(mean > 0 ? std::max(x, kLeastUnit * mean) : 1.0));
    }
    return result;
}

std::vector<float> floats_of(const Tensor& tensor) {
    const auto values = tensor.as<float>();
    return {values.begin(), values.end()};
}

}  // namespace

// Finds what is trained, and makes the training graph of the network's: its values keep their
// numbers, what is added comes behind them.
class Student::Finder {
  public:
    Finder(Student& student, const StudentOptions& options)
        : s_(student), options_(options), uses_(student.network_), names_(student.network_) {}

    void run() {
        for (const Node& node : s_.network_.nodes) {
            if (node.op == "QuantizeLinear" && node.domain.empty()) find_activation(node);
        }
        for (size_t n = 0; n < s_.network_.nodes.size(); ++n) find_layer(n);
        const auto is_coded = [](const Layer& layer) { return layer.weight.scales != kNoValue; };
        if (std::ranges::any_of(s_.layers_, is_coded)) return;
        throw InputError(
            "the network has no layer whose weight is coded: expected a file that adiabat compress "
            "wrote");
    }

  private:
    // The constant of a value, where the file as written has the same.
    const Tensor* constant_in_both(ValueId id) const {
        const Tensor* here = s_.network_.constant(id);
        if (!here) return nullptr;
        const Tensor* there = s_.written_.constant(s_.written_.find(s_.network_.value(id).name));
        return there && *there == *here ? here : nullptr;
    }

    size_t add_block(Block block) {
        s_.start_.push_back(std::move(block));
        return s_.start_.size() - 1;
    }
    size_t add_scales(const Tensor& scales) {
        Block block{.values = floats_of(scales), .units = floats_of(scales)};
        for (float scale : block.values) {
            block.least.push_back(static_cast<float>(kLeastOfScale * static_cast<double>(scale)));
        }
        return add_block(std::move(block));
    }

    void find_activation(const Node& node) {
        const ValueId id = node.input(1);
        const Tensor* scale = constant_in_both(id);
        if (!scale || scale->type != DType::kFloat || scale->size() != 1) return;
        const auto [at, is_new] = activation_of_.try_emplace(id, s_.activations_.size());
        if (!is_new) return;
        Activation activation{id, id, kNone};
        if (options_.activations) activation.block = add_scales(*scale);
        s_.activations_.push_back(activation);
    }

    const Node* producer(ValueId id, const char* op) const {
        const int n = id == kNoValue ? -1 : uses_.producer(id);
        if (n < 0) return nullptr;
        const Node& node = s_.network_.nodes[static_cast<size_t>(n)];
        return node.op == op && node.domain.empty() ? &node : nullptr;
    }

    void find_layer(size_t n) {
        const Node& node = s_.network_.nodes[n];
        const bool has_weight = node.op == "Conv" || node.op == "ConvTranspose" ||
                                node.op == "Gemm" || node.op == "MatMul";
        if (!has_weight || !node.domain.empty() || node.input(1) == kNoValue) return;
        if (uses_.readers(node.inputs[1]).size() != 1) return;
        Layer layer;
        const Node* decoder = producer(node.inputs[1], "DequantizeLinear");
        if (!(decoder ? take_codes(node, *decoder, layer) : take_floats(node, layer))) return;
        take_bias(node, layer);
        s_.names_.push_back(node.name.empty() ? s_.network_.value(node.outputs[0]).name
                                              : node.name);
        Node& trained = s_.training_.nodes[n];
        trained.inputs[1] = layer.weight.trained;
        if (layer.bias.trained != kNoValue) trained.inputs[2] = layer.bias.trained;
        s_.layers_.push_back(layer);
    }

    // A constant of the training graph.
    ValueId add_trained(ValueId like, const net::Shape& shape, const std::vector<float>& values) {
        return s_.training_.add_constant(names_.take(s_.network_.value(like).name + "_trained"),
                                         Tensor::of<float>(shape, values));
    }

    bool take_floats(const Node& node, Layer& layer) {
        const Tensor* weight = constant_in_both(node.inputs[1]);
        if (!weight || weight->type != DType::kFloat || weight->rank() < 2) return false;
        Parameter& p = layer.weight;
        p.codes = node.inputs[1];
        p.grid = grid_along(weight->shape, filter_axis(node, weight->shape.size()));
        const std::vector<float> values = floats_of(*weight);
        p.values_block =
            add_block({.values = values, .units = sizes(values, p.grid), .inner = p.grid.inner});
        p.trained = add_trained(p.codes, weight->shape, values);
        return true;
    }

    bool take_codes(const Node& node, const Node& decoder, Layer& layer) {
        Parameter& p = layer.weight;
        p.codes = decoder.input(0);
        p.scales = decoder.input(1);
        const Tensor* codes = s_.network_.constant(p.codes);
        const Tensor* scales = constant_in_both(p.scales);
        if (!codes || !scales || codes->rank() < 2) return false;
        const size_t axis = filter_axis(node, codes->shape.size());
        Grid by_filter = grid_along(codes->shape, axis);
        if (scales->type != DType::kFloat ||
            (scales->size() != 1 && scales->size() != by_filter.filters)) {
            return false;
        }
        p.zero_point = zero_point_of(node, decoder);
        p.grid = scales->size() == 1 ? Grid{0, 0, 1, codes->size()} : by_filter;
        take_range(node, *codes, p);
        const std::vector<int64_t> stored = codes->to_ints();
        std::vector<float> values;
        for (size_t k = 0; k < stored.size(); ++k) {
            values.push_back(static_cast<float>(stored[k] - p.zero_point) *
                             scales->as<float>()[p.grid.filter(k)]);
        }
        p.values_block = add_block(
            {.values = values, .units = sizes(values, by_filter), .inner = by_filter.inner});
        p.trained = add_trained(p.codes, codes->shape, values);
        if (options_.scales) p.scales_block = add_scales(*scales);
        return true;
    }

    int zero_point_of(const Node& node, const Node& decoder) const {
        if (decoder.input(2) == kNoValue) return 0;
        const Tensor* zeros = s_.network_.constant(decoder.inputs[2]);
        const std::vector<int64_t> values = zeros ? zeros->to_ints() : std::vector<int64_t>{};
        if (values.empty() ||
            std::ranges::adjacent_find(values, std::not_equal_to<>()) != values.end()) {
            throw InputError("{}: the zero points of its weight differ: expected one for all",
                             describe(s_.network_, node));
        }
        return static_cast<int>(values[0]);
    }

    // The codes that p may have: those of the bits in which they are stored, or, where a code has a
    // byte or a nibble whatever its bits, of the fewest bits that hold what is there.
    void take_range(const Node& node, const Tensor& codes, Parameter& p) const {
        const Graph& written = s_.written_;
        const auto stored =
            onnx::find_stored(written, written.find(s_.network_.value(p.codes).name));
        if (!stored ||
            onnx::packed(written, *stored, codes) != *written.constant(stored->constant)) {
            throw InputError(
                "{}: its weight is not stored as adiabat compress stores weights (planes, int4 or "
                "int8)",
                describe(s_.network_, node));
        }
        const auto values = codes.to_ints();
        const auto [low, high] = std::ranges::minmax(values);
        const int fewest = stored->storage == onnx::Storage::kPlanes ? stored->bits : 2;
        for (int bits = fewest; bits <= 8; ++bits) {
            p.grid.lowest = -(1 << (bits - 1));
            p.grid.highest = (1 << (bits - 1)) - 1;
            if (low - p.zero_point >= p.grid.lowest && high - p.zero_point <= p.grid.highest)
                return;
        }
        throw InputError("{}: its weight has codes from {} to {} around {}: expected 8 bits",
                         describe(s_.network_, node), low, high, p.zero_point);
    }

    void take_bias(const Node& node, Layer& layer) {
        const ValueId id = node.op == "MatMul" ? kNoValue : node.input(2);
        if (id == kNoValue) return;
        Parameter& p = layer.bias;
        const Node* decoder = producer(id, "DequantizeLinear");
        const Tensor* bias = nullptr;
        std::vector<float> values;
        if (decoder) {
            p.codes = decoder->input(0);
            p.scales = decoder->input(1);
            bias = constant_in_both(p.codes);
            values = decoded_bias(node, bias, p.scales, layer);
        } else {
            p.codes = id;
            bias = constant_in_both(id);
            if (!bias || bias->type != DType::kFloat || uses_.readers(id).size() != 1) return;
            values = floats_of(*bias);
        }
        const Block& weights = s_.start_[layer.weight.values_block];
        std::vector<float> units = weights.units;
        const auto norm = static_cast<float>(std::sqrt(static_cast<double>(weights.values.size()) /
                                                       static_cast<double>(weights.units.size())));
        for (float& unit : units) unit *= norm;
        if (units.size() != values.size()) units.assign(values.size(), units[0]);
        p.values_block = add_block({.values = values, .units = std::move(units)});
        p.trained = add_trained(p.codes, bias->shape, values);
    }

    // Also finds the scale that the bias is in units of.
    std::vector<float> decoded_bias(const Node& node, const Tensor* bias, ValueId scales,
                                    Layer& layer) const {
        const Graph& g = s_.network_;
        const Node* reads = producer(node.inputs[0], "DequantizeLinear");
        const Tensor* input = reads ? g.constant(reads->input(1)) : nullptr;
        const Tensor *units = g.constant(scales), *weights = g.constant(layer.weight.scales);
        bool fits = bias && input && units && weights && bias->type == DType::kInt32 &&
                    input->size() == 1 && units->size() == bias->size() &&
                    (weights->size() == 1 || weights->size() == bias->size());
        std::vector<float> values;
        for (size_t f = 0; fits && f < units->as<float>().size(); ++f) {
            const float unit = units->as<float>()[f];
            const float weight = weights->as<float>()[weights->size() == 1 ? 0 : f];
            fits = unit == input->as<float>()[0] * weight;
            values.push_back(static_cast<float>(bias->as<int32_t>()[f]) * unit);
        }
        if (!fits) {
            throw InputError("{}: its bias is not in units of input scale x weight scale",
                             describe(g, node));
        }
        layer.input_scale = reads->inputs[1];
        const auto found = activation_of_.find(layer.input_scale);
        if (found != activation_of_.end()) {
            layer.input_block = s_.activations_[found->second].block;
        }
        return values;
    }

    Student& s_;
    StudentOptions options_;
    net::Uses uses_;
    net::UnusedNames names_;
    std::map<ValueId, size_t> activation_of_;  // by their scales
};

Student::Student(Graph written, Graph network, const StudentOptions& options)
    : written_(std::move(written)), network_(std::move(network)), training_(network_) {
    Finder(*this, options).run();
}

std::vector<float> Student::rounded(const Parameter& weight, std::span<const Block> blocks) const {
    const std::vector<float>& values = blocks[weight.values_block].values;
    if (weight.scales == kNoValue) return values;
    std::vector<float> result(values.size());
    if (weight.scales_block != kNone) {
        round_weights(values, blocks[weight.scales_block].values, weight.grid, result);
    } else {
        round_weights(values, network_.constant(weight.scales)->as<float>(), weight.grid, result);
    }
    return result;
}

void Student::load(std::span<const Block> blocks, net::Session& session) const {
    const auto set = [&](ValueId id, const std::vector<float>& values) {
        session.set_constant(id, Tensor::of<float>(training_.constant(id)->shape, values));
    };
    for (const Layer& layer : layers_) {
        set(layer.weight.trained, rounded(layer.weight, blocks));
        if (layer.bias.trained != kNoValue) {
            set(layer.bias.trained, blocks[layer.bias.values_block].values);
        }
    }
    for (const Activation& activation : activations_) {
        if (activation.block != kNone) set(activation.trained, blocks[activation.block].values);
    }
}

std::vector<ValueId> Student::wanted() const {
    std::vector<ValueId> result;
    for (const Layer& layer : layers_) {
        result.push_back(layer.weight.trained);
        if (layer.bias.trained != kNoValue) result.push_back(layer.bias.trained);
    }
    for (const Activation& activation : activations_) {
        if (activation.block != kNone) result.push_back(activation.trained);
    }
    return result;
}

std::vector<std::vector<float>> Student::gradients(std::span<const Block> blocks,
                                                   std::vector<Tensor> of_wanted) const {
    std::vector<std::vector<float>> result(blocks.size());
    size_t next = 0;
    const auto take = [&](size_t block) { result[block] = floats_of(of_wanted.at(next++)); };
    for (const Layer& layer : layers_) {
        const Parameter& weight = layer.weight;
        take(weight.values_block);
        if (weight.scales != kNoValue) {
            const bool is_learned = weight.scales_block != kNone;
            const auto scales = is_learned ? std::span(blocks[weight.scales_block].values)
                                           : network_.constant(weight.scales)->as<float>();
            std::vector<float> of_scales(scales.size());
            pass_through(blocks[weight.values_block].values, scales, weight.grid,
                         result[weight.values_block], of_scales);
            if (is_learned) result[weight.scales_block] = std::move(of_scales);
        }
        if (layer.bias.trained != kNoValue) take(layer.bias.values_block);
    }
    for (const Activation& activation : activations_) {
        if (activation.block != kNone) take(activation.block);
    }
    return result;
}

void Student::change_weight(const Parameter& weight, std::span<const Block> blocks,
                            std::vector<Changed>& to) const {
    const std::vector<float>& values = blocks[weight.values_block].values;
    const Tensor& before = *network_.constant(weight.codes);
    if (weight.scales == kNoValue) {
        to.push_back({weight.codes, Tensor::of<float>(before.shape, values)});
        return;
    }
    const Tensor& fixed = *network_.constant(weight.scales);
    Tensor scales = weight.scales_block == kNone
                        ? fixed
                        : Tensor::of<float>(fixed.shape, blocks[weight.scales_block].values);
    Tensor codes(before.type, before.shape);
    for (size_t k = 0; k < values.size(); ++k) {
        const float scale = scales.as<float>()[weight.grid.filter(k)];
        codes.bytes[k] =
            static_cast<uint8_t>(code_of(values[k], scale, weight.grid) + weight.zero_point);
    }
    to.push_back({weight.codes, std::move(codes)});
    to.push_back({weight.scales, std::move(scales)});
}

void Student::change_bias(const Layer& layer, std::span<const Block> blocks,
                          std::vector<Changed>& to) const {
    const Parameter& bias = layer.bias;
    if (bias.trained == kNoValue) return;
    const std::vector<float>& values = blocks[bias.values_block].values;
    if (bias.scales == kNoValue) {
        to.push_back({bias.codes, Tensor::of<float>(network_.constant(bias.codes)->shape, values)});
        return;
    }
    const float input = layer.input_block == kNone
                            ? network_.constant(layer.input_scale)->as<float>()[0]
                            : blocks[layer.input_block].values[0];
    const auto scales = layer.weight.scales_block == kNone
                            ? network_.constant(layer.weight.scales)->as<float>()
                            : std::span(blocks[layer.weight.scales_block].values);
    std::vector<float> units;
    std::vector<int32_t> codes;
    for (size_t f = 0; f < values.size(); ++f) {
        units.push_back(input * scales[scales.size() == 1 ? 0 : f]);
        const double code = static_cast<double>(values[f]) / static_cast<double>(units[f]);
        codes.push_back(
            static_cast<int32_t>(std::llround(std::clamp(code, -kMostBiasUnits, kMostBiasUnits))));
    }
    const net::Shape& shape = network_.constant(bias.codes)->shape;
    to.push_back({bias.codes, Tensor::of<int32_t>(shape, codes)});
    to.push_back({bias.scales, Tensor::of<float>(network_.constant(bias.scales)->shape, units)});
}

std::vector<Student::Changed> Student::changed(std::span<const Block> blocks) const {
    std::vector<Changed> result;
    for (const Layer& layer : layers_) {
        change_weight(layer.weight, blocks, result);
        change_bias(layer, blocks, result);
    }
    for (const Activation& activation : activations_) {
        if (activation.block == kNone) continue;
        const net::Shape& shape = network_.constant(activation.scale)->shape;
        result.push_back(
            {activation.scale, Tensor::of<float>(shape, blocks[activation.block].values)});
    }
    return result;
}

void Student::store(std::span<const Block> blocks, net::Session& session) const {
    for (const Changed& change : changed(blocks)) session.set_constant(change.id, change.tensor);
}

Graph Student::written(std::span<const Block> blocks) const {
    Graph graph = written_;
    for (Changed& change : changed(blocks)) {
        const ValueId id = graph.find(network_.value(change.id).name);
        ADIABAT_CHECK(id != kNoValue, "{} is not in the file", network_.value(change.id).name);
        if (const auto stored = onnx::find_stored(graph, id)) {
            graph.value(stored->constant).constant =
                std::make_shared<const Tensor>(onnx::packed(graph, *stored, change.tensor));
        } else if (graph.constant(id)) {
            graph.value(id).constant = std::make_shared<const Tensor>(std::move(change.tensor));
        }
        // Else it is computed from the others: the scales of biases.
    }
    return graph;
}

}  // namespace adiabat::tune
