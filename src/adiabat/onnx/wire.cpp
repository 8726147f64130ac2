// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/wire.h"

#include <bit>

#include "adiabat/onnx/write.h"

namespace adiabat::onnx {

namespace {

using net::Graph;
using net::kNoValue;
using net::Node;
using net::ValueId;

// Field numbers of onnx.proto, by message.
namespace model_field {
enum { kIrVersion = 1, kProducerName = 2, kGraph = 7, kOpsetImport = 8, kMetadata = 14 };
}
namespace graph_field {
enum { kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12, kValueInfo = 13 };
}
namespace node_field {
enum { kInput = 1, kOutput = 2, kName = 3, kOpType = 4, kAttribute = 5, kDomain = 7 };
}
namespace attribute_field {
enum {
    kName = 1,
    kF = 2,
    kI = 3,
    kS = 4,
    kT = 5,
    kFloats = 7,
    kInts = 8,
    kStrings = 9,
    kType = 20
};
}
namespace tensor_field {
enum { kDims = 1, kDataType = 2, kName = 8, kRawData = 9 };
}

uint64_t tag_bytes(int field_number) {
    return varint_bytes(static_cast<uint64_t>(field_number) << 3);
}

uint64_t int_field(int field_number, int64_t value) {
    return tag_bytes(field_number) + varint_bytes(static_cast<uint64_t>(value));
}

uint64_t string_field(int field_number, std::string_view text) {
    return field_bytes(field_number, text.size());
}

// A string that is left out where it is empty.
uint64_t optional_string(int field_number, std::string_view text) {
    return text.empty() ? 0 : string_field(field_number, text);
}

// The value fields of an attribute, one overload a kind; name and type come on top.
struct AttributeSize {
    uint64_t operator()(int64_t value) const { return int_field(attribute_field::kI, value); }
    uint64_t operator()(float) const { return tag_bytes(attribute_field::kF) + sizeof(float); }
    uint64_t operator()(const std::string& value) const {
        return string_field(attribute_field::kS, value);
    }
    uint64_t operator()(const std::vector<int64_t>& values) const {
        uint64_t bytes = 0;
        for (int64_t value : values) bytes += int_field(attribute_field::kInts, value);
        return bytes;
    }
    uint64_t operator()(const std::vector<float>& values) const {
        return values.size() * (tag_bytes(attribute_field::kFloats) + sizeof(float));
    }
    uint64_t operator()(const std::vector<std::string>& values) const {
        uint64_t bytes = 0;
        for (const auto& value : values) bytes += string_field(attribute_field::kStrings, value);
        return bytes;
    }
    uint64_t operator()(const net::RawAttribute&) const { return 0; }
    uint64_t operator()(const net::Tensor& value) const {
        return field_bytes(attribute_field::kT, tensor_proto_bytes(value.type, value.shape, ""));
    }
};

uint64_t attribute_bytes(const std::string& name, const net::Attribute& value) {
    if (const auto* raw = std::get_if<net::RawAttribute>(&value)) return raw->bytes.size();
    constexpr uint64_t kTypeBytes = 1;  // the kinds that are written are below 128
    return string_field(attribute_field::kName, name) + std::visit(AttributeSize{}, value) +
           tag_bytes(attribute_field::kType) + kTypeBytes;
}

// ValueInfoProto{name = 1, type = 2 {tensor_type = 1 {elem_type = 1, shape = 2 {dim = 1 {value = 1,
// param = 2}}}}}.
uint64_t value_info_bytes(const net::Value& value) {
    const uint64_t rest = string_field(1, value.name) + value.notes.size();
    if (!value.other_type.empty()) return rest + field_bytes(2, value.other_type.size());
    uint64_t type = 0;
    if (value.type != net::DType::kUndefined)
        type += int_field(1, static_cast<int64_t>(value.type));
    if (value.shape) {
        uint64_t shape = 0;
        for (size_t k = 0; k < value.shape->size(); ++k) {
            const int64_t dimension = written_dimension(value, k);
            shape +=
                field_bytes(1, dimension != net::kUnknown ? int_field(1, dimension)
                                                          : optional_string(2, value.axis_name(k)));
        }
        type += field_bytes(2, shape);
    }
    return rest + field_bytes(2, field_bytes(1, type));
}

}  // namespace

uint64_t varint_bytes(uint64_t value) {
    return (static_cast<uint64_t>(std::bit_width(value | 1)) + 6) / 7;
}

uint64_t field_bytes(int field_number, uint64_t body_bytes) {
    return tag_bytes(field_number) + varint_bytes(body_bytes) + body_bytes;
}

uint64_t tensor_proto_bytes(net::DType type, const net::Shape& shape, std::string_view name) {
    uint64_t bytes = int_field(tensor_field::kDataType, static_cast<int64_t>(type));
    for (int64_t dimension : shape) bytes += int_field(tensor_field::kDims, dimension);
    bytes += optional_string(tensor_field::kName, name);
    const auto bits =
        static_cast<uint64_t>(net::elements(shape)) * static_cast<uint64_t>(net::bits_of(type));
    return bits == 0 ? bytes : bytes + field_bytes(tensor_field::kRawData, (bits + 7) / 8);
}

uint64_t node_proto_bytes(const Graph& graph, const Node& node) {
    uint64_t bytes = string_field(node_field::kOpType, node.op) +
                     optional_string(node_field::kName, node.name) +
                     optional_string(node_field::kDomain, node.domain) + node.notes.size();
    const auto name_length = [&](ValueId id) -> uint64_t {
        return id == kNoValue ? 0 : graph.value(id).name.size();
    };
    for (ValueId id : node.inputs) bytes += field_bytes(node_field::kInput, name_length(id));
    for (ValueId id : node.outputs) bytes += field_bytes(node_field::kOutput, name_length(id));
    for (const auto& [name, value] : node.attributes) {
        bytes += field_bytes(node_field::kAttribute, attribute_bytes(name, value));
    }
    return bytes;
}

uint64_t graph_bytes(const Graph& graph) {
    uint64_t bytes = string_field(graph_field::kName, graph.name.empty() ? "g" : graph.name);
    for (const Node& node : graph.nodes) {
        bytes += field_bytes(graph_field::kNode, node_proto_bytes(graph, node));
    }
    for (ValueId id : written_constants(graph)) {
        const net::Tensor& tensor = *graph.constant(id);
        bytes += field_bytes(graph_field::kInitializer,
                             tensor_proto_bytes(tensor.type, tensor.shape, graph.value(id).name));
    }
    for (ValueId id : graph.inputs) {
        bytes += field_bytes(graph_field::kInput, value_info_bytes(graph.value(id)));
    }
    for (ValueId id : graph.outputs) {
        bytes += field_bytes(graph_field::kOutput, value_info_bytes(graph.value(id)));
    }
    for (ValueId id : written_types(graph)) {
        bytes += field_bytes(graph_field::kValueInfo, value_info_bytes(graph.value(id)));
    }
    return bytes + graph.notes.graph.size();
}

uint64_t model_bytes(const Graph& graph) {
    uint64_t bytes = int_field(model_field::kIrVersion, graph.ir_version) +
                     optional_string(model_field::kProducerName, graph.producer) +
                     field_bytes(model_field::kGraph, graph_bytes(graph));
    // OperatorSetIdProto{domain = 1, version = 2}, StringStringEntryProto{key = 1, value = 2}.
    bytes += field_bytes(model_field::kOpsetImport, int_field(2, graph.opset));
    for (const auto& [domain, version] : written_domains(graph)) {
        bytes +=
            field_bytes(model_field::kOpsetImport, string_field(1, domain) + int_field(2, version));
    }
    for (const auto& [key, value] : graph.metadata) {
        bytes += field_bytes(model_field::kMetadata, string_field(1, key) + string_field(2, value));
    }
    return bytes + graph.notes.model.size();
}

}  // namespace adiabat::onnx
