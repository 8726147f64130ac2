// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/write.h"

#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <limits>
#include <set>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::onnx {

namespace {

using net::Graph;
using net::kNoValue;
using net::Node;
using net::ValueId;
using ::onnx::AttributeProto;

void write_tensor(const net::Tensor& tensor, const std::string& name, ::onnx::TensorProto& proto) {
    for (int64_t dimension : tensor.shape) proto.add_dims(dimension);
    proto.set_data_type(static_cast<int32_t>(tensor.type));
    if (!name.empty()) proto.set_name(name);
    // ONNX forbids a data field where there are no elements.
    if (!tensor.bytes.empty()) proto.set_raw_data(tensor.bytes.data(), tensor.bytes.size());
}

// Bytes that a reader has left as they were.
template <typename Message>
void merge(const std::string& bytes, Message& message) {
    if (bytes.empty()) return;
    ADIABAT_CHECK(message.MergeFromString(bytes), "{} bytes of a file make no sense", bytes.size());
}

// One overload a kind of attribute; the name is set already.
struct AttributeWriter {
    AttributeProto& proto;

    void operator()(int64_t value) const {
        proto.set_type(AttributeProto::INT);
        proto.set_i(value);
    }
    void operator()(float value) const {
        proto.set_type(AttributeProto::FLOAT);
        proto.set_f(value);
    }
    void operator()(const std::string& value) const {
        proto.set_type(AttributeProto::STRING);
        proto.set_s(value);
    }
    void operator()(const std::vector<int64_t>& values) const {
        proto.set_type(AttributeProto::INTS);
        for (int64_t value : values) proto.add_ints(value);
    }
    void operator()(const std::vector<float>& values) const {
        proto.set_type(AttributeProto::FLOATS);
        for (float value : values) proto.add_floats(value);
    }
    void operator()(const std::vector<std::string>& values) const {
        proto.set_type(AttributeProto::STRINGS);
        for (const auto& value : values) proto.add_strings(value);
    }
    void operator()(const net::Tensor& value) const {
        proto.set_type(AttributeProto::TENSOR);
        write_tensor(value, "", *proto.mutable_t());
    }
    void operator()(const net::RawAttribute& value) const { merge(value.bytes, proto); }
};

void write_node(const Graph& graph, const Node& node, ::onnx::NodeProto& proto) {
    const auto name_of = [&](ValueId id) { return id == kNoValue ? "" : graph.value(id).name; };
    for (ValueId id : node.inputs) proto.add_input(name_of(id));
    for (ValueId id : node.outputs) proto.add_output(name_of(id));
    if (!node.name.empty()) proto.set_name(node.name);
    proto.set_op_type(node.op);
    if (!node.domain.empty()) proto.set_domain(node.domain);
    for (const auto& [name, value] : node.attributes) {
        AttributeProto& attribute = *proto.add_attribute();
        attribute.set_name(name);
        std::visit(AttributeWriter{attribute}, value);
    }
    merge(node.notes, proto);
}

// The type and shape of a value, and for inputs and outputs what else their file said.
void write_value_info(const net::Value& value, ::onnx::ValueInfoProto& proto) {
    proto.set_name(value.name);
    merge(value.notes, proto);
    if (!value.other_type.empty()) return merge(value.other_type, *proto.mutable_type());
    auto& type = *proto.mutable_type()->mutable_tensor_type();
    if (value.type != net::DType::kUndefined) type.set_elem_type(static_cast<int32_t>(value.type));
    if (!value.shape) return;
    auto& shape = *type.mutable_shape();
    for (size_t k = 0; k < value.shape->size(); ++k) {
        auto& dim = *shape.add_dim();
        const int64_t dimension = written_dimension(value, k);
        if (dimension != net::kUnknown) {
            dim.set_dim_value(dimension);
        } else if (!value.axis_name(k).empty()) {
            dim.set_dim_param(value.axis_name(k));
        }
    }
}

void write_graph(const Graph& graph, ::onnx::GraphProto& proto) {
    for (const Node& node : graph.nodes) write_node(graph, node, *proto.add_node());
    proto.set_name(graph.name.empty() ? "g" : graph.name);  // ONNX asks for a name
    for (ValueId id : written_constants(graph)) {
        write_tensor(*graph.constant(id), graph.value(id).name, *proto.add_initializer());
    }
    for (ValueId id : graph.inputs) write_value_info(graph.value(id), *proto.add_input());
    for (ValueId id : graph.outputs) write_value_info(graph.value(id), *proto.add_output());
    for (ValueId id : written_types(graph)) {
        write_value_info(graph.value(id), *proto.add_value_info());
    }
    merge(graph.notes.graph, proto);
}

void import_opset(const std::string& domain, int64_t version, ::onnx::ModelProto& proto) {
    auto& import = *proto.add_opset_import();
    if (!domain.empty()) import.set_domain(domain);
    import.set_version(version);
}

}  // namespace

std::vector<ValueId> written_constants(const Graph& graph) {
    std::vector<bool> read(graph.values.size(), false);
    const auto mark = [&](ValueId id) {
        if (id != kNoValue) read[static_cast<size_t>(id)] = true;
    };
    for (const Node& node : graph.nodes) {
        for (ValueId id : node.inputs) mark(id);
        for (ValueId id : node.captured) mark(id);
    }
    for (ValueId id : graph.outputs) mark(id);
    std::vector<ValueId> written;
    for (size_t v = 0; v < graph.values.size(); ++v) {
        if (read[v] && graph.values[v].constant) written.push_back(static_cast<ValueId>(v));
    }
    return written;
}

std::vector<ValueId> written_types(const Graph& graph) {
    std::vector<ValueId> written;
    const std::set<ValueId> outputs(graph.outputs.begin(), graph.outputs.end());
    for (const Node& node : graph.nodes) {
        if (net::has_shape_rule(node)) continue;
        for (ValueId id : node.outputs) {
            if (id == kNoValue || outputs.contains(id)) continue;
            const net::Value& value = graph.value(id);
            if (value.type != net::DType::kUndefined || !value.other_type.empty()) {
                written.push_back(id);
            }
        }
    }
    return written;
}

int64_t written_dimension(const net::Value& value, size_t axis) {
    const int64_t dimension = (*value.shape)[axis];
    const bool fixed = dimension == net::kUnknown && axis == 0 && value.fixed_batch > 0;
    return fixed ? value.fixed_batch : dimension;
}

std::map<std::string, int64_t> written_domains(const Graph& graph) {
    std::map<std::string, int64_t> domains = graph.notes.domains;
    for (const auto& [domain, version] : net::needed_domains(graph))
        domains.emplace(domain, version);
    return domains;
}

std::vector<uint8_t> serialize_model(const Graph& graph) {
    ADIABAT_CHECK(graph.opset > 0 && graph.ir_version > 0, "opset {}, IR version {}", graph.opset,
                  graph.ir_version);
    ::onnx::ModelProto model;
    model.set_ir_version(graph.ir_version);
    if (!graph.producer.empty()) model.set_producer_name(graph.producer);
    write_graph(graph, *model.mutable_graph());
    import_opset("", graph.opset, model);
    for (const auto& [domain, version] : written_domains(graph)) {
        import_opset(domain, version, model);
    }
    for (const auto& [key, value] : graph.metadata) {
        auto& entry = *model.add_metadata_props();
        entry.set_key(key);
        entry.set_value(value);
    }
    merge(graph.notes.model, model);
    const size_t size = model.ByteSizeLong();
    if (size > static_cast<size_t>(std::numeric_limits<int>::max())) {
        throw InputError("the model would take {} bytes; an ONNX file holds at most 2 GiB", size);
    }
    const google::protobuf::LogSilencer quiet;  // the library does not print
    std::vector<uint8_t> bytes(size);
    ADIABAT_CHECK(model.SerializeToArray(bytes.data(), static_cast<int>(size)), "protobuf refused");
    return bytes;
}

void write_model(const Graph& graph, const std::filesystem::path& path) {
    write_file_atomically(path, std::span<const uint8_t>(serialize_model(graph)));
}

}  // namespace adiabat::onnx
