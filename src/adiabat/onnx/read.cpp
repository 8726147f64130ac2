// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/read.h"

#include <google/protobuf/stubs/logging.h>
#include <onnx/onnx_pb.h>

#include <functional>
#include <limits>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/onnx/damage.h"
#include "adiabat/onnx/read_tensor.h"

namespace adiabat::onnx {

namespace {

using net::Graph;
using net::kNoValue;
using net::kUnknown;
using net::Node;
using net::Shape;
using net::ValueId;
using ::onnx::AttributeProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TypeProto;
using ::onnx::ValueInfoProto;

std::string describe(const NodeProto& node) {
    if (node.has_name() && !node.name().empty()) return node.op_type() + " " + node.name();
    const std::string output = node.output_size() > 0 ? node.output(0) : "nothing";
    return node.op_type() + " (writes " + output + ")";
}

// "" and "ai.onnx" are two names of one domain.
std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

std::optional<Shape> shape_of(const TypeProto& type) {
    if (!type.tensor_type().has_shape()) return std::nullopt;
    Shape shape;
    for (const auto& dim : type.tensor_type().shape().dim()) {
        // Zero and negative dimensions are how some writers say that they do not know; what no
        // array has tells nothing either.
        const bool known =
            dim.has_dim_value() && dim.dim_value() > 0 && dim.dim_value() <= net::kMaxDimension;
        shape.push_back(known ? dim.dim_value() : kUnknown);
    }
    return shape;
}

// One conversion: a model on its way into a graph.
class Reader {
  public:
    Reader(const ModelProto& model, const std::string& where)
        : model_(model), proto_(model.graph()), where_(where) {}

    Graph read() {
        read_header();
        read_initializer_names();
        for (const auto& input : proto_.input()) read_input(input);
        for (const auto& initializer : proto_.initializer()) {
            const std::string what =
                fmt::format("{}: initializer '{}'", where_, initializer.name());
            define_constant(initializer.name(), to_tensor(initializer, what));
        }
        for (int index : topological_order()) read_node(proto_.node(index));
        for (const auto& info : proto_.value_info()) annotate(info);
        for (const auto& output : proto_.output()) read_output(output);
        return std::move(graph_);
    }

  private:
    void read_header() {
        graph_.name = proto_.name();
        graph_.producer = model_.producer_name();
        graph_.ir_version = static_cast<int>(model_.ir_version());
        for (const auto& import : model_.opset_import()) {
            if (domain_of(import.domain()).empty()) {
                graph_.opset = static_cast<int>(import.version());
            }
        }
        if (graph_.opset < 1) {
            throw InputError("{}: no opset import of ai.onnx, so its operators have no meaning",
                             where_);
        }
        for (const auto& entry : model_.metadata_props()) {
            graph_.metadata[entry.key()] = entry.value();
        }
        if (model_.functions_size() > 0) {
            throw InputError("{}: defines functions of its own ('{}'): inline them (onnx.inliner)",
                             where_, model_.functions(0).name());
        }
        if (proto_.sparse_initializer_size() > 0) {
            throw InputError("{}: initializer '{}' is sparse: make it dense", where_,
                             proto_.sparse_initializer(0).values().name());
        }
    }

    ValueId define(const std::string& name) {
        const ValueId id = graph_.add_value(name);
        if (!ids_.emplace(name, id).second) {
            throw InputError("{}: value '{}' is produced twice; every value has one producer",
                             where_, name);
        }
        return id;
    }

    void define_constant(const std::string& name, net::Tensor tensor) {
        net::Value& value = graph_.value(define(name));
        value.type = tensor.type;
        value.shape = tensor.shape;
        value.constant = std::make_shared<const net::Tensor>(std::move(tensor));
    }

    void read_initializer_names() {
        for (const auto& initializer : proto_.initializer()) {
            if (initializer.name().empty()) {
                throw InputError("{}: an initializer has no name", where_);
            }
            initializers_.insert(initializer.name());
        }
    }

    // Before IR version 4 every initializer was an input as well.
    void read_input(const ValueInfoProto& info) {
        if (initializers_.contains(info.name())) return;
        if (!info.type().has_tensor_type()) {
            throw InputError("{}: input '{}' is no tensor; only tensors can be fed", where_,
                             info.name());
        }
        graph_.inputs.push_back(define(info.name()));
        annotate(info);
        name_batch(info);
    }

    void read_output(const ValueInfoProto& info) {
        const auto found = ids_.find(info.name());
        if (found == ids_.end()) {
            throw InputError("{}: output '{}' is produced by no node", where_, info.name());
        }
        graph_.outputs.push_back(found->second);
        annotate(info);
        name_batch(info);
    }

    // What the file says of a value; constants know better.
    void annotate(const ValueInfoProto& info) {
        const auto found = ids_.find(info.name());
        if (found == ids_.end() || !info.type().has_tensor_type()) return;
        net::Value& value = graph_.value(found->second);
        if (value.constant) return;
        value.type = static_cast<net::DType>(info.type().tensor_type().elem_type());
        value.shape = shape_of(info.type());
    }

    void name_batch(const ValueInfoProto& info) {
        const auto& shape = info.type().tensor_type().shape();
        if (shape.dim_size() == 0 || !shape.dim(0).has_dim_param()) return;
        graph_.value(ids_.at(info.name())).batch_name = shape.dim(0).dim_param();
    }

    // Kahn's algorithm; of the nodes that are ready the first in the file goes first, so that a
    // file in topological order keeps its own.
    std::vector<int> topological_order() const {
        std::unordered_map<std::string, int> producer;
        for (int n = 0; n < proto_.node_size(); ++n) {
            for (const auto& output : proto_.node(n).output()) producer.emplace(output, n);
        }
        std::vector<std::vector<int>> readers(static_cast<size_t>(proto_.node_size()));
        std::vector<int> waits_for(readers.size(), 0);
        std::priority_queue<int, std::vector<int>, std::greater<>> ready;
        for (int n = 0; n < proto_.node_size(); ++n) {
            for (const auto& input : proto_.node(n).input()) {
                if (input.empty() || ids_.contains(input)) continue;
                const auto found = producer.find(input);
                if (found == producer.end()) {
                    throw InputError("{}: {} reads '{}', which nothing produces", where_,
                                     describe(proto_.node(n)), input);
                }
                readers[static_cast<size_t>(found->second)].push_back(n);
                ++waits_for[static_cast<size_t>(n)];
            }
            if (waits_for[static_cast<size_t>(n)] == 0) ready.push(n);
        }
        std::vector<int> order;
        while (!ready.empty()) {
            order.push_back(ready.top());
            ready.pop();
            for (int reader : readers[static_cast<size_t>(order.back())]) {
                if (--waits_for[static_cast<size_t>(reader)] == 0) ready.push(reader);
            }
        }
        for (int n = 0; n < proto_.node_size(); ++n) {
            if (waits_for[static_cast<size_t>(n)] > 0) {
                throw InputError("{}: {} is part of a cycle; a graph must not have one", where_,
                                 describe(proto_.node(n)));
            }
        }
        return order;
    }

    void read_node(const NodeProto& proto) {
        if (domain_of(proto.domain()).empty() && proto.op_type() == "Constant" &&
            proto.output_size() == 1 && read_constant_node(proto)) {
            return;
        }
        Node node;
        node.op = proto.op_type();
        node.domain = domain_of(proto.domain());
        node.name = proto.name();
        for (const auto& input : proto.input()) {
            node.inputs.push_back(input.empty() ? kNoValue : ids_.at(input));
        }
        for (const auto& output : proto.output()) {
            node.outputs.push_back(output.empty() ? kNoValue : define(output));
        }
        for (const auto& attribute : proto.attribute()) {
            node.attributes[attribute.name()] = attribute_of(attribute, proto);
        }
        graph_.nodes.push_back(std::move(node));
    }

    // False for a constant that is no array of numbers (strings): it stays a node.
    bool read_constant_node(const NodeProto& proto) {
        if (proto.attribute_size() != 1) {
            throw InputError("{}: {} has {} attributes, a constant has one", where_,
                             describe(proto), proto.attribute_size());
        }
        const auto& attribute = proto.attribute(0);
        const std::string& form = attribute.name();
        net::Tensor tensor;
        if (form == "value") {
            tensor =
                to_tensor(attribute.t(), fmt::format("{}: constant '{}'", where_, proto.output(0)));
        } else if (form == "value_float") {
            tensor = net::Tensor::scalar(attribute.f());
        } else if (form == "value_int") {
            tensor = net::Tensor::scalar<int64_t>(attribute.i());
        } else if (form == "value_floats") {
            const std::vector<float> values(attribute.floats().begin(), attribute.floats().end());
            tensor = net::Tensor::of<float>({attribute.floats_size()}, values);
        } else if (form == "value_ints") {
            const std::vector<int64_t> values(attribute.ints().begin(), attribute.ints().end());
            tensor = net::Tensor::of<int64_t>({attribute.ints_size()}, values);
        } else {
            return false;
        }
        define_constant(proto.output(0), std::move(tensor));
        return true;
    }

    net::Attribute attribute_of(const AttributeProto& proto, const NodeProto& node) const {
        switch (type_of(proto)) {
            case AttributeProto::INT:
                return int64_t{proto.i()};
            case AttributeProto::FLOAT:
                return proto.f();
            case AttributeProto::STRING:
                return proto.s();
            case AttributeProto::INTS:
                return std::vector<int64_t>(proto.ints().begin(), proto.ints().end());
            case AttributeProto::FLOATS:
                return std::vector<float>(proto.floats().begin(), proto.floats().end());
            case AttributeProto::STRINGS:
                return std::vector<std::string>(proto.strings().begin(), proto.strings().end());
            case AttributeProto::TENSOR:
                return to_tensor(proto.t(), fmt::format("{}: {}, attribute {}", where_,
                                                        describe(node), proto.name()));
            case AttributeProto::GRAPH:
            case AttributeProto::GRAPHS:
                throw InputError(
                    "{}: {} holds a graph of its own (attribute {}): control flow is not "
                    "supported, "
                    "export the network without it",
                    where_, describe(node), proto.name());
            default:
                break;
        }
        throw InputError("{}: {}, attribute {} is of a kind that is not supported (number {})",
                         where_, describe(node), proto.name(), static_cast<int>(type_of(proto)));
    }

    // Files before IR version 2 leave the type to the field that is filled.
    static AttributeProto::AttributeType type_of(const AttributeProto& proto) {
        if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
        if (proto.has_i()) return AttributeProto::INT;
        if (proto.has_f()) return AttributeProto::FLOAT;
        if (proto.has_s()) return AttributeProto::STRING;
        if (proto.has_t()) return AttributeProto::TENSOR;
        if (proto.has_g()) return AttributeProto::GRAPH;
        if (proto.floats_size() > 0) return AttributeProto::FLOATS;
        if (proto.strings_size() > 0) return AttributeProto::STRINGS;
        return AttributeProto::INTS;
    }

    const ModelProto& model_;
    const ::onnx::GraphProto& proto_;
    const std::string& where_;
    Graph graph_;
    std::unordered_map<std::string, ValueId> ids_;
    std::unordered_set<std::string> initializers_;
};

}  // namespace

Graph parse_model(std::span<const uint8_t> bytes, const std::string& where) {
    if (bytes.empty()) throw InputError("{}: the file is empty, not an ONNX model", where);
    if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
        throw InputError("{}: {} bytes; an ONNX file holds at most 2 GiB", where, bytes.size());
    }
    const google::protobuf::LogSilencer quiet;  // the library does not print
    ModelProto model;
    const bool parsed = model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    if (!parsed || !model.has_graph()) {
        throw InputError("{}: {}", where, damage_of(bytes));
    }
    return Reader(model, where).read();
}

Graph read_model(const std::filesystem::path& path) {
    return parse_model(read_file(path), path.string());
}

}  // namespace adiabat::onnx
