// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/quantize.h"

#include <algorithm>
#include <array>
#include <numeric>

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

struct Version {
    int opset, ir;
};
// Of ai.onnx and of the file format: QuantizeLinear and DequantizeLinear along an axis; 4-bit
// types.
Version least_version(onnx::Storage storage) {
    return storage == onnx::Storage::kInt4 ? Version{21, 10} : Version{13, 7};
}

// ReduceMean over exactly the spatial axes.
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
    Builder(const Graph& graph, std::span<const net::Layer> layers, const std::vector<int>& bits)
        : from_(graph),
          layers_(layers),
          bits_(bits),
          uses_(graph),
          codes_(graph.values.size()),
          real_(graph.values.size(), kNoValue),
          decoded_(graph.values.size(), kNoValue),
          absorbed_(graph.values.size(), false),
          layer_of_node_(graph.nodes.size(), -1) {
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
            if (wants_codes(id)) code(id, id, -1);
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

    bool has_integer_kernel(int n) const {
        const Node& node = from_.nodes[static_cast<size_t>(n)];
        return layer_of_node_[static_cast<size_t>(n)] >= 0 || is_one_of(node, kInteger) ||
               is_spatial_mean(from_, node);
    }

    // Whether a value of the float graph is coded: an operator with an integer kernel makes or
    // reads it.
    bool wants_codes(ValueId id) const {
        // What an operator without a rule makes has no type that is known; layers read float alone.
        const DType type = from_.value(id).type;
        if ((type != DType::kFloat && type != DType::kUndefined) || from_.constant(id))
            return false;
        if (uses_.producer(id) >= 0 && has_integer_kernel(uses_.producer(id))) return true;
        const auto& readers = uses_.readers(id);
        return std::any_of(readers.begin(), readers.end(),
                           [&](int reader) { return has_integer_kernel(reader); });
    }

    // Codes the float value that stands for `original`, ReLU absorbed where `activated` is another.
    void code(ValueId original, ValueId activated, int layer) {
        const size_t number = result_.stages.size();
        Stage stage{original, activated, layer, real_[index(original)]};
        stage.scale = to_.add_constant(name("S", number), Tensor(DType::kFloat, {}));
        stage.zero_point = to_.add_constant(name("Z", number), Tensor(DType::kUint8, {}));
        stage.codes = to_.add_value(name("x", number), DType::kUint8);
        to_.nodes.push_back({"QuantizeLinear",
                             "",
                             "",
                             {stage.real, stage.scale, stage.zero_point},
                             {stage.codes},
                             {}});
        codes_[index(activated)] = {stage.codes, stage.scale, stage.zero_point};
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
            stage.codes = to_.add_value(name("x", result_.stages.size()), DType::kUint8);
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
                decoded = to_.add_value(name("X", decoded_count_++), DType::kFloat);
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
        if (node.op == "Relu" && absorbed_[index(node.outputs[0])]) return;
        if (layer_of_node_[n] >= 0) return translate_layer(node, layer_of_node_[n]);
        if (is_one_of(node, kMovers) && can_move_codes(node)) return translate_mover(node);
        if (is_spatial_mean(from_, node)) return translate_mean(node);
        Node copy = node;
        drop_notes(copy);
        for (ValueId& id : copy.inputs) id = real(id);
        for (ValueId& id : copy.captured) id = under_its_name(id);
        emit(std::move(copy), node, -1);
    }

    void translate_layer(const Node& node, int k) {
        const net::Layer& layer = layers_[static_cast<size_t>(k)];
        const ValueId data = node.inputs[0];
        // An output of the network that is read as well was left float so far.
        if (!is_coded(data)) code(data, data, -1);
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

    // Codes can be moved where the input is coded and what a Pad adds is zero.
    bool can_move_codes(const Node& node) const {
        if (!is_coded(node.inputs[0])) return false;
        if (std::ranges::count(node.outputs, kNoValue)) return false;
        if (node.op == "MaxPool" && node.outputs.size() > 1) return false;
        if (node.op != "Pad") return true;
        const Tensor* value = from_.constant(node.input(2));
        return node.string_or("mode", "constant") == "constant" &&
               (node.input(2) == kNoValue ||
                (value && value->to_doubles() == std::vector<double>{0}));
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
        const ValueId pooled = to_.add_value(name("y", value_count_++), DType::kFloat);
        to_.nodes.push_back(pool);
        to_.nodes.back().outputs = {pooled};
        real_[index(original)] = pooled;
        if (!from_.is_output(original)) {
            code(original, original, -1);
            return move_codes({"Flatten", "", "", {kNoValue}, {}, {}}, original, {original});
        }
        real_[index(original)] = to_.add_value(name("y", value_count_++), DType::kFloat);
        to_.nodes.push_back({"Flatten", "", "", {pooled}, {real_[index(original)]}, {}});
    }

    // Adds a node whose inputs are in the new graph already, and codes its outputs where codes are
    // wanted.
    void emit(Node copy, const Node& node, int layer) {
        for (size_t k = 0; k < node.outputs.size(); ++k) {
            const ValueId original = node.outputs[k];
            if (original == kNoValue) continue;
            copy.outputs[k] = to_.add_value(name("y", value_count_++), from_.value(original).type);
            real_[index(original)] = copy.outputs[k];
        }
        result_.node_of[static_cast<size_t>(&node - from_.nodes.data())] =
            static_cast<int>(to_.nodes.size());
        to_.nodes.push_back(std::move(copy));
        for (ValueId original : node.outputs) {
            if (original == kNoValue) continue;
            // Outputs of the network stay float where they can: the integer kernel of a convolution
            // ends in codes.
            const bool ends_float =
                from_.is_output(original) && node.op != "Conv" && uses_.readers(original).empty();
            if (wants_codes(original) && !ends_float) {
                code(original, absorb_relu(original), layer);
            } else if (layer >= 0) {
                result_.stages.push_back({original, original, layer, real_[index(original)]});
            }
        }
    }

    // The value behind the ReLU that alone reads this one; the value itself where there is none.
    ValueId absorb_relu(ValueId id) {
        const auto& readers = uses_.readers(id);
        if (readers.size() != 1 || from_.is_output(id)) return id;
        const Node& reader = from_.nodes[static_cast<size_t>(readers[0])];
        if (reader.op != "Relu" || !reader.domain.empty()) return id;
        absorbed_[index(reader.outputs[0])] = true;
        return reader.outputs[0];
    }

    // What others know by its name keeps it, and its float value where there is one.
    ValueId under_its_name(ValueId id) {
        const ValueId value = real_[index(id)] != kNoValue ? real_[index(id)] : real(id);
        to_.value(value).name = from_.value(id).name;
        return value;
    }

    ValueId finish_output(ValueId id) {
        const net::Value& output = from_.value(id);
        const ValueId value = under_its_name(id);
        to_.value(value).shape = output.shape;
        to_.value(value).axis_names = output.axis_names;
        to_.value(value).fixed_batch = output.fixed_batch;
        return value;
    }

    const Graph& from_;
    std::span<const net::Layer> layers_;
    const std::vector<int>& bits_;
    net::Uses uses_;
    Quantized result_;
    Graph& to_ = result_.graph;
    // By value of the old graph: its codes, itself in float, what its codes decode to.
    std::vector<Codes> codes_;
    std::vector<ValueId> real_, decoded_;
    std::vector<bool> absorbed_;  // outputs of ReLUs that are gone
    std::vector<int> layer_of_node_;
    size_t decoded_count_ = 0, constant_count_ = 0, value_count_ = 0;
};

}  // namespace

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

Quantized quantize(const Graph& graph, std::span<const net::Layer> layers,
                   const std::vector<int>& bits, onnx::Storage storage) {
    const Version least = least_version(storage);
    ADIABAT_CHECK(graph.opset >= least.opset, "a graph at opset {} is quantized", graph.opset);
    Quantized quantized = Builder(graph, layers, bits).build();
    quantized.graph.ir_version = std::max(quantized.graph.ir_version, least.ir);
    return quantized;
}

}  // namespace adiabat::apply
