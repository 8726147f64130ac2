// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/quantize.h"

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/net/describe.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::apply {

namespace {

using net::DType;
using net::Graph;
using net::kNoValue;
using net::Node;
using net::Tensor;
using net::ValueId;

struct Version {
    int opset, ir;
};
// Of ai.onnx and of the file format: QuantizeLinear and DequantizeLinear along an axis; 4-bit
// types.
Version least_version(onnx::Storage storage) {
    return storage == onnx::Storage::kInt4 ? Version{21, 10} : Version{13, 7};
}

// Attributes that say what the specification says anyway take bytes and are left out.
void drop_defaults(Node& conv) {
    const auto says = [](const net::Attribute& attribute, int64_t value) {
        if (const auto* one = std::get_if<int64_t>(&attribute)) return *one == value;
        const auto* many = std::get_if<std::vector<int64_t>>(&attribute);
        return many &&
               std::all_of(many->begin(), many->end(), [&](int64_t v) { return v == value; });
    };
    for (const auto& [name, value] :
         {std::pair{"dilations", 1}, {"strides", 1}, {"group", 1}, {"pads", 0}}) {
        const auto found = conv.attributes.find(name);
        if (found != conv.attributes.end() && says(found->second, value))
            conv.attributes.erase(found);
    }
    conv.attributes.erase("kernel_shape");  // the weight has it
}

// Names and documentation take bytes and mean nothing; what else a file says of an operator that is
// not of ai.onnx may mean something.
void drop_notes(Node& node) {
    node.name.clear();
    if (node.domain.empty()) node.notes.clear();
}

// Builds the quantized graph node by node in the float graph's order.
class Builder {
  public:
    Builder(const Graph& graph, std::span<const net::Layer> layers, const Widths& widths)
        : from_(graph),
          layers_(layers),
          bits_(widths.layers),
          coding_(net::find_coding(graph, layers)),
          is_float_(coding_.activations.size(), false),
          codes_(graph.values.size()),
          real_(graph.values.size(), kNoValue),
          decoded_(graph.values.size(), kNoValue),
          layer_of_node_(graph.nodes.size(), -1) {
        for (int number : coding_.number) {
            value_count_ = std::max(value_count_, static_cast<size_t>(number + 1));
        }
        for (ValueId id : widths.floats) {
            const int a = coding_.of(id);
            ADIABAT_CHECK(a >= 0, "{} has no codes", from_.value(id).name);
            is_float_[static_cast<size_t>(a)] = true;
        }
        for (size_t k = 0; k < layers.size(); ++k) {
            layer_of_node_[static_cast<size_t>(layers[k].node)] = static_cast<int>(k);
        }
        result_.node_of.assign(graph.nodes.size(), -1);
        result_.prefix = onnx::unused_prefix(graph);
        result_.layers.resize(layers.size());
    }

    Quantized build() {
        to_.name = from_.name;
        to_.opset = from_.opset;
        to_.ir_version = from_.ir_version;
        to_.producer = from_.producer;
        to_.metadata = from_.metadata;
        to_.notes.domains = net::needed_domains(from_);
        for (ValueId id : from_.inputs) {
            const net::Value& input = from_.value(id);
            const ValueId copy = to_.add_value(input.name, input.type, input.shape);
            to_.value(copy).axis_names = input.axis_names;
            to_.value(copy).fixed_batch = input.fixed_batch;
            to_.inputs.push_back(copy);
            real_[index(id)] = copy;
            if (gets_codes(id)) code(id, -1);
        }
        for (size_t n = 0; n < from_.nodes.size(); ++n) translate(n);
        for (ValueId id : from_.outputs) to_.outputs.push_back(finish_output(id));
        net::check_graph(to_);
        net::infer_shapes(to_);
        return std::move(result_);
    }

  private:
    struct Codes {
        ValueId value = kNoValue, scale = kNoValue, zero_point = kNoValue;
    };

    static size_t index(ValueId id) { return static_cast<size_t>(id); }
    std::string name(const char* role, size_t number) const {
        return result_.prefix + role + std::to_string(number);
    }
    bool is_coded(ValueId id) const { return codes_[index(id)].value != kNoValue; }

    const net::Activation& activation(ValueId id) const {
        return coding_.activations[static_cast<size_t>(coding_.of(id))];
    }
    bool stays_float(ValueId id) const {
        return coding_.of(id) >= 0 && is_float_[static_cast<size_t>(coding_.of(id))];
    }
    // Whether the value is what an activation is coded from.
    bool gets_codes(ValueId id) const {
        return coding_.of(id) >= 0 && activation(id).before == id && !stays_float(id);
    }
    size_t number(ValueId id) const { return static_cast<size_t>(coding_.number[index(id)]); }

    // Codes the float value that stands for `before`, behind the ReLU that is absorbed.
    void code(ValueId before, int layer) { code(before, layer, number(activation(before).value)); }
    void code(ValueId before, int layer, size_t number) {
        const ValueId value = activation(before).value;
        Stage stage{before, value, layer, real_[index(before)]};
        stage.scale = to_.add_constant(name("S", number), Tensor(DType::kFloat, {}));
        stage.zero_point = to_.add_constant(name("Z", number), Tensor(DType::kUint8, {}));
        stage.codes = to_.add_value(name("x", number), DType::kUint8);
        to_.nodes.push_back({"QuantizeLinear",
                             "",
                             "",
                             {stage.real, stage.scale, stage.zero_point},
                             {stage.codes},
                             {}});
        codes_[index(value)] = {stage.codes, stage.scale, stage.zero_point};
        result_.stages.push_back(stage);
    }

    // A node that moves the codes of `input` to what stands for `originals`; its first input and
    // its outputs are set here.
    void move_codes(Node node, ValueId input, const std::vector<ValueId>& originals) {
        const Codes codes = codes_[index(input)];
        node.inputs[0] = codes.value;
        node.outputs.clear();
        for (ValueId original : originals) {
            Stage stage{original, original};
            stage.codes = to_.add_value(name("x", number(original)), DType::kUint8);
            stage.scale = codes.scale;
            stage.zero_point = codes.zero_point;
            node.outputs.push_back(stage.codes);
            codes_[index(original)] = {stage.codes, codes.scale, codes.zero_point};
            result_.stages.push_back(stage);
        }
        to_.nodes.push_back(std::move(node));
    }

    // The float value of the new graph that stands for a value of the old one.
    ValueId real(ValueId id) {
        if (id == kNoValue) return kNoValue;
        if (is_coded(id)) {
            ValueId& decoded = decoded_[index(id)];
            if (decoded == kNoValue) {
                const Codes& codes = codes_[index(id)];
                decoded = to_.add_value(name("X", number(id)), DType::kFloat);
                to_.nodes.push_back({"DequantizeLinear",
                                     "",
                                     "",
                                     {codes.value, codes.scale, codes.zero_point},
                                     {decoded},
                                     {}});
            }
            return decoded;
        }
        ValueId& known = real_[index(id)];
        if (known == kNoValue) {
            const Tensor* constant = from_.constant(id);
            ADIABAT_CHECK(constant, "{} is not there yet", from_.value(id).name);
            known = to_.add_constant(name("C", constant_count_++), *constant);
            result_.copied.push_back({known, id});
        }
        return known;
    }

    void translate(size_t n) {
        const Node& node = from_.nodes[n];
        const ValueId first = node.outputs.empty() ? kNoValue : node.outputs[0];
        const bool is_relu = first != kNoValue && coding_.is_absorbed(first);
        if (is_relu && !stays_float(first)) return;
        if (layer_of_node_[n] >= 0) return translate_layer(node, layer_of_node_[n]);
        const bool moves = first != kNoValue && coding_.of(first) >= 0 && !is_relu &&
                           activation(first).before != first;
        if (moves && !stays_float(first)) return translate_mover(node);
        if (net::is_spatial_mean(from_, node)) return translate_mean(node);
        Node copy = node;
        drop_notes(copy);
        // What a Pad adds is 0 where it moves; a constant less keeps the names of the others.
        if (moves && node.op == "Pad" && copy.inputs.size() > 2) copy.inputs[2] = kNoValue;
        for (ValueId& id : copy.inputs) id = real(id);
        for (ValueId& id : copy.captured) id = under_its_name(id);
        emit(std::move(copy), node, -1);
    }

    void translate_layer(const Node& node, int k) {
        const net::Layer& layer = layers_[static_cast<size_t>(k)];
        const ValueId data = node.inputs[0];
        // An output of the network that is read as well was left float so far.
        if (!is_coded(data) && !stays_float(data)) code(data, -1);
        Node copy = node;
        drop_notes(copy);
        const ValueId input = real(data);
        LayerParameters& parameters = result_.layers[static_cast<size_t>(k)];
        parameters = add_parameters(to_, layer, from_.constant(layer.weight)->shape,
                                    bits_[static_cast<size_t>(k)], node.op == "Gemm", k,
                                    codes_[index(data)].scale, result_.prefix);
        copy.inputs = {input, parameters.decoded_weight, parameters.decoded_bias};
        if (copy.op == "Conv") drop_defaults(copy);
        emit(std::move(copy), node, k);
    }

    void translate_mover(const Node& node) {
        Node copy = node;
        drop_notes(copy);
        for (size_t k = 1; k < copy.inputs.size(); ++k) {
            if (node.op != "Pad" || k != 2) copy.inputs[k] = real(copy.inputs[k]);
        }
        if (node.op == "Pad") {
            copy.inputs.resize(std::max<size_t>(copy.inputs.size(), 3), kNoValue);
            copy.inputs[2] = codes_[index(node.inputs[0])].zero_point;
        }
        move_codes(std::move(copy), node.inputs[0], node.outputs);
    }

    void translate_mean(const Node& node) {
        const ValueId original = node.outputs[0];
        const Node pool{"GlobalAveragePool", "", "", {real(node.inputs[0])}, {kNoValue}, {}};
        if (node.int_or("keepdims", 1)) return emit(pool, node, -1);
        // Where the flat one has a number, the one before is free; of outputs it is not.
        const bool is_free = coding_.of(original) >= 0 && !from_.is_output(original);
        const size_t free = is_free ? number(original) - 1 : value_count_++;
        const ValueId pooled = to_.add_value(name("y", free), DType::kFloat);
        to_.nodes.push_back(pool);
        to_.nodes.back().outputs = {pooled};
        real_[index(original)] = pooled;
        if (gets_codes(original) && !from_.is_output(original)) {
            code(original, -1, number(original) - 1);
            return move_codes({"Flatten", "", "", {kNoValue}, {}, {}}, original, {original});
        }
        real_[index(original)] = to_.add_value(float_name(original), DType::kFloat);
        to_.nodes.push_back({"Flatten", "", "", {pooled}, {real_[index(original)]}, {}});
    }

    // Adds a node whose inputs are in the new graph already, and codes its outputs where codes are
    // wanted.
    void emit(Node copy, const Node& node, int layer) {
        for (size_t k = 0; k < node.outputs.size(); ++k) {
            const ValueId original = node.outputs[k];
            if (original == kNoValue) continue;
            copy.outputs[k] = to_.add_value(float_name(original), from_.value(original).type);
            real_[index(original)] = copy.outputs[k];
        }
        result_.node_of[static_cast<size_t>(&node - from_.nodes.data())] =
            static_cast<int>(to_.nodes.size());
        to_.nodes.push_back(std::move(copy));
        for (ValueId original : node.outputs) {
            if (original == kNoValue) continue;
            if (gets_codes(original)) {
                code(original, layer);
            } else if (layer >= 0) {
                result_.stages.push_back({original, original, layer, real_[index(original)]});
            }
        }
    }

    // What stays float is known by the name that its decoded codes would have, and all names of one
    // activation are of one length: the bytes of what makes and reads it are the same either way.
    std::string float_name(ValueId id) {
        if (coding_.of(id) < 0) return name("y", value_count_++);
        const net::Activation& made = activation(id);
        const bool is_read = stays_float(id) && !(made.has_relu() && made.before == id);
        return name(is_read ? "X" : "y", number(made.before == id ? made.value : id));
    }

    // What others know by its name keeps it, and its float value where there is one.
    ValueId under_its_name(ValueId id) {
        const ValueId value = real_[index(id)] != kNoValue ? real_[index(id)] : real(id);
        to_.value(value).name = from_.value(id).name;
        return value;
    }

    ValueId finish_output(ValueId id) {
        const net::Value& output = from_.value(id);
        // Integer kernels end in codes; what others have by its name stays what it is.
        const bool is_taken =
            real_[index(id)] != kNoValue && to_.value(real_[index(id)]).name == output.name;
        if (is_coded(id) && activation(id).maker >= 0 && !is_taken) real_[index(id)] = kNoValue;
        const ValueId value = under_its_name(id);
        to_.value(value).shape = output.shape;
        to_.value(value).axis_names = output.axis_names;
        to_.value(value).fixed_batch = output.fixed_batch;
        return value;
    }

    const Graph& from_;
    std::span<const net::Layer> layers_;
    const std::vector<int>& bits_;
    net::Coding coding_;
    std::vector<bool> is_float_;  // by activation
    Quantized result_;
    Graph& to_ = result_.graph;
    // By value of the old graph: its codes, itself in float, what its codes decode to.
    std::vector<Codes> codes_;
    std::vector<ValueId> real_, decoded_;
    std::vector<int> layer_of_node_;
    size_t constant_count_ = 0, value_count_ = 0;  // values: behind the numbers of coded ones
};

}  // namespace

Widths widths_of(const plan::Network& network, const plan::Plan& plan) {
    Widths widths;
    for (size_t k = 0; k < network.layers.size(); ++k) {
        if (plan.bits[k] != plan::kGone) widths.layers.push_back(plan.bits[k]);
    }
    widths.floats = plan::float_values(network, plan);
    return widths;
}

int least_opset(onnx::Storage storage) { return least_version(storage).opset; }

void require_quantizable(const Graph& graph, std::span<const net::Layer> layers) {
    for (const Node& node : graph.nodes) {
        if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear" ||
            node.op.starts_with("QLinear")) {
            throw InputError(
                "{}: the network is quantized already: give the float network it was made from",
                describe(graph, node));
        }
    }
    if (layers.empty()) {
        throw InputError(
            "the network has no convolution or Gemm with constant float weights: there is nothing "
            "to compress");
    }
}

Quantized quantize(const Graph& graph, std::span<const net::Layer> layers, const Widths& widths,
                   onnx::Storage storage) {
    const Version least = least_version(storage);
    ADIABAT_CHECK(graph.opset >= least.opset, "a graph at opset {} is quantized", graph.opset);
    Quantized quantized = Builder(graph, layers, widths).build();
    quantized.graph.ir_version = std::max(quantized.graph.ir_version, least.ir);
    return quantized;
}

}  // namespace adiabat::apply
