// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/self_decoding.h"

#include <algorithm>
#include <iterator>

#include "adiabat/base/errors.h"

namespace adiabat::onnx {

namespace {

using net::DType;
using net::Graph;
using net::Node;
using net::Tensor;
using net::ValueId;

constexpr int kOpsetOfInt4 = 21;

Tensor pack_nibbles(const Tensor& codes, DType type) {
    Tensor nibbles(type, codes.shape);
    const std::vector<int64_t> values = codes.to_ints();
    for (size_t k = 0; k < values.size(); ++k) {
        nibbles.bytes[k / 2] |= static_cast<uint8_t>((values[k] & 15) << (k % 2 * 4));
    }
    return nibbles;
}

// Builds the nodes that decode one graph's weights, and the constants they share.
class Decoder {
  public:
    Decoder(Graph& graph, Storage storage, const std::string& prefix, bool is_for_size)
        : graph_(graph), storage_(storage), prefix_(prefix), is_for_size_(is_for_size) {}

    // Turns the constants of one layer into computed values.
    void encode(const WeightCodes& weight) {
        suffix_ = std::to_string(weight.ordinal);
        if (weight.bias_scales != net::kNoValue) {
            graph_.value(weight.bias_scales).constant = nullptr;
            push("Mul", {weight.input_scale, weight.scales}, weight.bias_scales);
        }
        if (weight.bits == 8 || storage_ == Storage::kInt8) return;
        if (storage_ == Storage::kPlanes) return encode_planes(weight);
        if (weight.bits <= 4) encode_nibbles(weight);
    }

    std::vector<Node> nodes;

  private:
    void encode_planes(const WeightCodes& weight) {
        const Tensor codes = take_constant(weight.codes);
        const bool is_signed = codes.type == DType::kInt8;
        const int64_t count = codes.size(), blocks = (count + 7) / 8;
        Tensor planes(DType::kUint8, {blocks, 1, weight.bits});
        if (!is_for_size_) planes.bytes = pack_planes(codes.bytes, weight.bits);
        ValueId value = graph_.add_constant(prefix_ + "p" + suffix_, std::move(planes));
        value = push("BitShift", {value, shifts()}, "a", {{"direction", std::string("LEFT")}});
        value = push("BitShift", {value, seven()}, "b", {{"direction", std::string("RIGHT")}});
        value = push("Cast", {value}, "c", {{"to", static_cast<int64_t>(DType::kFloat)}});
        value = push("MatMul", {value, places(weight.bits, is_signed)}, "d");
        if (count % 8 != 0) {
            value = push("Reshape", {value, integer("m", -1)}, "e");
            value = push("Slice", {value, integer("o", 0), integer("n" + suffix_, count)}, "f");
        }
        const Tensor shape =
            Tensor::of<int64_t>({static_cast<int64_t>(codes.shape.size())}, codes.shape);
        value = push("Reshape", {value, graph_.add_constant(prefix_ + "r" + suffix_, shape)}, "g");
        push("Cast", {value}, weight.codes, {{"to", static_cast<int64_t>(codes.type)}});
    }

    void encode_nibbles(const WeightCodes& weight) {
        const Tensor codes = take_constant(weight.codes);
        const bool is_signed = codes.type == DType::kInt8;
        const ValueId nibbles = graph_.add_constant(
            prefix_ + "p" + suffix_, pack_nibbles(codes, is_signed ? DType::kInt4 : DType::kUint4));
        push("Cast", {nibbles}, weight.codes, {{"to", static_cast<int64_t>(codes.type)}});
    }

    Tensor take_constant(ValueId id) {
        const Tensor* tensor = graph_.constant(id);
        ADIABAT_CHECK(tensor && (tensor->type == DType::kInt8 || tensor->type == DType::kUint8),
                      "{} holds no codes", graph_.value(id).name);
        Tensor taken = *tensor;
        graph_.value(id).constant = nullptr;
        return taken;
    }

    using Attributes = std::map<std::string, net::Attribute>;
    void push(std::string op, std::vector<ValueId> inputs, ValueId output,
              Attributes attributes = {}) {
        nodes.push_back(
            {std::move(op), "", "", std::move(inputs), {output}, std::move(attributes)});
    }
    ValueId push(std::string op, std::vector<ValueId> inputs, const char* role,
                 Attributes attributes = {}) {
        const ValueId output = graph_.add_value(prefix_ + role + suffix_);
        push(std::move(op), std::move(inputs), output, std::move(attributes));
        return output;
    }

    // A constant by its name, made on first use.
    ValueId shared(const std::string& role, const Tensor& tensor) {
        const ValueId known = graph_.find(prefix_ + role);
        return known != net::kNoValue ? known : graph_.add_constant(prefix_ + role, tensor);
    }
    ValueId integer(const std::string& role, int64_t value) {
        return shared(role, Tensor::of<int64_t>({1}, std::vector<int64_t>{value}));
    }
    ValueId shifts() {
        return shared("k",
                      Tensor::of<uint8_t>({8, 1}, std::vector<uint8_t>{7, 6, 5, 4, 3, 2, 1, 0}));
    }
    ValueId seven() { return shared("v", Tensor::scalar<uint8_t>(7)); }
    ValueId places(int bits, bool is_signed) {
        std::vector<float> values;
        for (int k = 0; k < bits; ++k) values.push_back(static_cast<float>(1 << k));
        if (is_signed) values.back() = -values.back();
        return shared((is_signed ? "t" : "u") + std::to_string(bits),
                      Tensor::of<float>({bits}, values));
    }

    Graph& graph_;
    Storage storage_;
    std::string prefix_, suffix_;
    bool is_for_size_;
};

}  // namespace

Storage parse_storage(std::string_view name) {
    for (Storage storage : {Storage::kPlanes, Storage::kInt4, Storage::kInt8}) {
        if (name == name_of(storage)) return storage;
    }
    throw InputError("--weights: unknown storage `{}`: it must be planes, int4 or int8", name);
}

std::string_view name_of(Storage storage) {
    switch (storage) {
        case Storage::kInt4:
            return "int4";
        case Storage::kInt8:
            return "int8";
        default:
            return "planes";
    }
}

void encode_weights(Graph& graph, const std::vector<WeightCodes>& weights, Storage storage,
                    const std::string& prefix, bool is_for_size) {
    if (storage == Storage::kInt4 && graph.opset < kOpsetOfInt4) {
        throw InputError("--weights int4 needs opset {}, the network has {}: use --weights planes",
                         kOpsetOfInt4, graph.opset);
    }
    Decoder decoder(graph, storage, prefix, is_for_size);
    for (const WeightCodes& weight : weights) decoder.encode(weight);
    // What decodes comes first: it depends on constants alone.
    decoder.nodes.insert(decoder.nodes.end(), std::make_move_iterator(graph.nodes.begin()),
                         std::make_move_iterator(graph.nodes.end()));
    graph.nodes = std::move(decoder.nodes);
    net::check_graph(graph);
}

std::string unused_prefix(const Graph& graph) {
    const auto is_ours = [](std::string_view name, std::string_view prefix) {
        if (!name.starts_with(prefix)) return false;
        name.remove_prefix(prefix.size());
        if (is_shared_by_decoders(name, "")) return true;
        return name.size() > 1 && name.find_first_not_of("0123456789", 1) == std::string_view::npos;
    };
    std::string prefix;
    const auto is_used = [&](ValueId id) { return is_ours(graph.value(id).name, prefix); };
    // Graphs inside attributes see our names beside their own: there no name begins like ours.
    const auto is_inside = [&](const Node& node) {
        if (std::any_of(node.captured.begin(), node.captured.end(), is_used)) return true;
        return std::any_of(node.attributes.begin(), node.attributes.end(), [&](const auto& named) {
            const auto* raw = std::get_if<net::RawAttribute>(&named.second);
            return raw && raw->bytes.find(prefix) != std::string::npos;
        });
    };
    while (std::any_of(graph.inputs.begin(), graph.inputs.end(), is_used) ||
           std::any_of(graph.outputs.begin(), graph.outputs.end(), is_used) ||
           std::any_of(graph.nodes.begin(), graph.nodes.end(), is_inside)) {
        prefix += '_';
    }
    return prefix;
}

bool is_shared_by_decoders(std::string_view name, std::string_view prefix) {
    if (!name.starts_with(prefix)) return false;
    name.remove_prefix(prefix.size());
    return name == "k" || name == "v" || name == "m" || name == "o" ||
           (name.size() == 2 && (name[0] == 't' || name[0] == 'u'));
}

std::optional<StoredCodes> find_stored(const Graph& graph, ValueId codes) {
    const auto is_byte = [](DType type) { return type == DType::kInt8 || type == DType::kUint8; };
    if (const Tensor* plain = graph.constant(codes)) {
        if (!is_byte(plain->type)) return std::nullopt;
        return StoredCodes{codes, Storage::kInt8, 8};
    }
    // Decoders are chains through first inputs.
    const net::Uses uses(graph);
    constexpr std::string_view kLongest[] = {"Cast",   "Reshape", "Slice",    "Reshape",
                                             "MatMul", "Cast",    "BitShift", "BitShift"};
    std::vector<std::string_view> chain;
    ValueId id = codes;
    for (int n = uses.producer(id); n >= 0; n = uses.producer(id)) {
        const Node& node = graph.nodes[static_cast<size_t>(n)];
        if (chain.size() == std::size(kLongest) || !node.domain.empty()) return std::nullopt;
        chain.emplace_back(node.op);
        id = node.input(0);
        if (id == net::kNoValue) return std::nullopt;
    }
    const Tensor* stored = graph.constant(id);
    if (!stored) return std::nullopt;
    if (chain == std::vector<std::string_view>{"Cast"}) {
        if (stored->type != DType::kInt4 && stored->type != DType::kUint4) return std::nullopt;
        return StoredCodes{id, Storage::kInt4, 4};
    }
    std::vector<std::string_view> whole(std::begin(kLongest), std::end(kLongest));
    const bool is_sliced = chain == whole;
    whole.erase(whole.begin() + 2, whole.begin() + 4);
    if ((!is_sliced && chain != whole) || stored->type != DType::kUint8 || stored->rank() != 3) {
        return std::nullopt;
    }
    return StoredCodes{id, Storage::kPlanes, static_cast<int>(stored->shape[2])};
}

Tensor packed(const Graph& graph, const StoredCodes& stored, const Tensor& codes) {
    const Tensor& before = *graph.constant(stored.constant);
    if (stored.storage == Storage::kInt4) return pack_nibbles(codes, before.type);
    if (stored.storage == Storage::kInt8) return codes;
    Tensor planes(before.type, before.shape);
    planes.bytes = pack_planes(codes.bytes, stored.bits);
    return planes;
}

std::vector<uint8_t> pack_planes(std::span<const uint8_t> codes, int bits) {
    const auto planes = static_cast<size_t>(bits);
    std::vector<uint8_t> bytes((codes.size() + 7) / 8 * planes, 0);
    for (size_t n = 0; n < codes.size(); ++n) {
        // The cost model asks for the size of layers of zeros, again and again.
        if (codes[n] == 0) continue;
        for (size_t k = 0; k < planes; ++k) {
            bytes[n / 8 * planes + k] |= static_cast<uint8_t>((codes[n] >> k & 1) << n % 8);
        }
    }
    return bytes;
}

}  // namespace adiabat::onnx
