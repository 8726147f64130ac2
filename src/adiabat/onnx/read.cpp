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
#include "adiabat/onnx/inline.h"
#include "adiabat/onnx/read_attribute.h"
#include "adiabat/onnx/read_tensor.h"
#include "adiabat/onnx/subgraphs.h"

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

// Larger versions, or more outputs, are no network's.
constexpr int64_t kMostOpset = 1000;
constexpr int kMostOutputs = 4096;

// "" and "ai.onnx" are two names of one domain.
std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

std::optional<Shape> shape_of(const TypeProto& type, const std::string& name) {
    if (!type.tensor_type().has_shape()) return std::nullopt;
    Shape shape;
    for (const auto& dim : type.tensor_type().shape().dim()) {
        // Zero and negative dimensions are how some writers say that they do not know.
        const bool known = dim.has_dim_value() && dim.dim_value() > 0;
        if (known && dim.dim_value() > net::kMaxDimension) {
            throw InputError("value '{}' has a dimension of {}: no tensor has more than {}", name,
                             dim.dim_value(), net::kMaxDimension);
        }
        shape.push_back(known ? dim.dim_value() : kUnknown);
    }
    return shape;
}

// Names of the symbolic dimensions, up to the last that has one.
std::vector<std::string> axis_names_of(const TypeProto& type) {
    std::vector<std::string> names;
    const auto& shape = type.tensor_type().shape();
    for (int k = 0; k < shape.dim_size(); ++k) {
        if (!shape.dim(k).has_dim_param() || shape.dim(k).dim_param().empty()) continue;
        names.resize(static_cast<size_t>(k) + 1);
        names.back() = shape.dim(k).dim_param();
    }
    return names;
}

// One conversion: a model on its way into a graph. The model is used up.
class Reader {
  public:
    Reader(ModelProto& model, const std::string& where, ExternalFiles& files)
        : model_(model), proto_(*model.mutable_graph()), where_(where), files_(files) {}

    Graph read() {
        read_header();
        read_initializer_names();
        for (auto& input : *proto_.mutable_input()) read_input(input);
        for (auto& initializer : *proto_.mutable_initializer()) read_initializer(initializer);
        for (auto& sparse : *proto_.mutable_sparse_initializer()) {
            const std::string name = sparse.values().name();
            const std::string what = fmt::format("{}: initializer '{}'", where_, name);
            define_constant(name, to_dense(sparse, what, files_));
        }
        for (int index : topological_order()) read_node(index);
        for (const auto& info : proto_.value_info()) annotate(info);
        for (auto& output : *proto_.mutable_output()) read_output(output);
        read_notes();
        return std::move(graph_);
    }

  private:
    void read_header() {
        graph_.name = proto_.name();
        graph_.producer = model_.producer_name();
        graph_.ir_version = static_cast<int>(model_.ir_version());
        for (const auto& import : model_.opset_import()) {
            const std::string domain = domain_of(import.domain());
            if (!domain.empty()) {
                graph_.notes.domains[domain] = import.version();
            } else if (import.version() < 1 || import.version() > kMostOpset) {
                throw InputError("{}: imports version {} of ai.onnx, which there is not", where_,
                                 import.version());
            } else {
                graph_.opset = static_cast<int>(import.version());
            }
        }
        if (graph_.opset < 1) {
            throw InputError("{}: no opset import of ai.onnx, so its operators have no meaning",
                             where_);
        }
        if (model_.ir_version() < 1 || model_.ir_version() > kMostOpset) {
            throw InputError("{}: IR version {}, which there is not", where_, model_.ir_version());
        }
        if (proto_.input_size() - proto_.initializer_size() > kMostOutputs ||
            proto_.output_size() > kMostOutputs) {
            throw InputError("{}: {} inputs and {} outputs; a network has at most {}", where_,
                             proto_.input_size(), proto_.output_size(), kMostOutputs);
        }
        for (const auto& entry : model_.metadata_props()) {
            graph_.metadata[entry.key()] = entry.value();
        }
    }

    // Whatever is not read anywhere else, as bytes; what belongs to training names values that need
    // not be there any more, and goes.
    void read_notes() {
        proto_.clear_node();
        proto_.clear_name();
        proto_.clear_initializer();
        proto_.clear_sparse_initializer();
        proto_.clear_input();
        proto_.clear_output();
        proto_.clear_value_info();
        graph_.notes.graph = proto_.SerializeAsString();
        model_.clear_ir_version();
        model_.clear_producer_name();
        model_.clear_graph();
        model_.clear_opset_import();
        model_.clear_metadata_props();
        model_.clear_training_info();
        graph_.notes.model = model_.SerializeAsString();
        graph_.notes.external_bytes = files_.bytes_read();
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
        const auto note = [&](const std::string& name) {
            if (name.empty()) throw InputError("{}: an initializer has no name", where_);
            initializers_.insert(name);
        };
        for (const auto& initializer : proto_.initializer()) note(initializer.name());
        for (const auto& sparse : proto_.sparse_initializer()) note(sparse.values().name());
    }

    // What holds no numbers (strings) stays as it is, in a Constant node.
    void read_initializer(::onnx::TensorProto& proto) {
        const std::string what = fmt::format("{}: initializer '{}'", where_, proto.name());
        if (holds_numbers(proto)) {
            const std::string name = proto.name();
            return define_constant(name, to_tensor(proto, what, files_));
        }
        if (is_external(proto)) {
            throw InputError("{} is of ONNX type {} and in another file: it cannot be kept", what,
                             proto.data_type());
        }
        net::Value& value = graph_.value(define(proto.name()));
        value.type = static_cast<net::DType>(proto.data_type());
        value.shape = Shape(proto.dims().begin(), proto.dims().end());
        AttributeProto attribute;
        attribute.set_name("value");
        attribute.set_type(AttributeProto::TENSOR);
        attribute.mutable_t()->Swap(&proto);
        attribute.mutable_t()->clear_name();
        Node node;
        node.op = "Constant";
        node.outputs = {static_cast<ValueId>(graph_.values.size()) - 1};
        node.attributes["value"] = net::RawAttribute{attribute.SerializeAsString()};
        graph_.nodes.push_back(std::move(node));
    }

    // Before IR version 4 every initializer was an input as well.
    void read_input(ValueInfoProto& info) {
        if (initializers_.contains(info.name())) return;
        graph_.inputs.push_back(define(info.name()));
        annotate(info);
        read_names(info);
    }

    void read_output(ValueInfoProto& info) {
        const auto found = ids_.find(info.name());
        if (found == ids_.end()) {
            throw InputError("{}: output '{}' is produced by no node", where_, info.name());
        }
        graph_.outputs.push_back(found->second);
        annotate(info);
        read_names(info);
    }

    // What the file says of a value; constants know better.
    void annotate(const ValueInfoProto& info) {
        const auto found = ids_.find(info.name());
        if (found == ids_.end()) return;
        net::Value& value = graph_.value(found->second);
        if (value.constant || !info.has_type()) return;
        if (!info.type().has_tensor_type()) {
            value.other_type = info.type().SerializeAsString();
            return;
        }
        value.type = static_cast<net::DType>(info.type().tensor_type().elem_type());
        value.shape = shape_of(info.type(), info.name());
    }

    // Of an input or output: names of dimensions, documentation. Uses the info up.
    void read_names(ValueInfoProto& info) {
        net::Value& value = graph_.value(ids_.at(info.name()));
        value.axis_names = axis_names_of(info.type());
        info.clear_name();
        info.clear_type();
        value.notes = info.SerializeAsString();
    }

    // Kahn's algorithm; of the nodes that are ready the first in the file goes first, so that a
    // file in topological order keeps its own.
    std::vector<int> topological_order() {
        std::unordered_map<std::string, int> producer;
        for (int n = 0; n < proto_.node_size(); ++n) {
            for (const auto& output : proto_.node(n).output()) producer.emplace(output, n);
        }
        std::vector<std::vector<int>> readers(static_cast<size_t>(proto_.node_size()));
        std::vector<int> waits_for(readers.size(), 0);
        std::priority_queue<int, std::vector<int>, std::greater<>> ready;
        for (int n = 0; n < proto_.node_size(); ++n) {
            std::vector<std::string> read(proto_.node(n).input().begin(),
                                          proto_.node(n).input().end());
            if (auto captured = captured_names(proto_.node(n)); !captured.empty()) {
                read.insert(read.end(), captured.begin(), captured.end());
                captured_.emplace(n, std::move(captured));
            }
            for (const auto& input : read) {
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

    void read_node(int index) {
        NodeProto& proto = *proto_.mutable_node(index);
        const std::string described = fmt::format("{}: {}", where_, describe(proto));
        if (domain_of(proto.domain()).empty() && proto.op_type() == "Constant" &&
            proto.output_size() == 1 && read_constant_node(proto, described)) {
            return;
        }
        Node node;
        node.op = proto.op_type();
        node.domain = domain_of(proto.domain());
        node.name = proto.name();
        for (const auto& input : proto.input()) {
            node.inputs.push_back(input.empty() ? kNoValue : ids_.at(input));
        }
        if (const auto captured = captured_.find(index); captured != captured_.end()) {
            for (const auto& name : captured->second) node.captured.push_back(ids_.at(name));
        }
        for (const auto& output : proto.output()) {
            node.outputs.push_back(output.empty() ? kNoValue : define(output));
        }
        for (auto& attribute : *proto.mutable_attribute()) {
            const std::string name = attribute.name();
            node.attributes[name] =
                to_attribute(attribute, !node.domain.empty(), described, files_);
        }
        proto.clear_op_type();
        proto.clear_domain();
        proto.clear_name();
        proto.clear_input();
        proto.clear_output();
        proto.clear_attribute();
        node.notes = proto.SerializeAsString();
        graph_.nodes.push_back(std::move(node));
    }

    // False for a constant that is no array of numbers (strings): it stays a node.
    bool read_constant_node(NodeProto& proto, const std::string& described) {
        if (proto.attribute_size() != 1) {
            throw InputError("{} has {} attributes, a constant has one", described,
                             proto.attribute_size());
        }
        auto& attribute = *proto.mutable_attribute(0);
        const std::string& form = attribute.name();
        const std::string what = fmt::format("{}: constant '{}'", where_, proto.output(0));
        net::Tensor tensor;
        if (form == "value" && holds_numbers(attribute.t())) {
            tensor = to_tensor(*attribute.mutable_t(), what, files_);
        } else if (form == "sparse_value" && holds_numbers(attribute.sparse_tensor().values())) {
            tensor = to_dense(*attribute.mutable_sparse_tensor(), what, files_);
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

    ModelProto& model_;
    ::onnx::GraphProto& proto_;
    const std::string& where_;
    ExternalFiles& files_;
    Graph graph_;
    std::unordered_map<std::string, ValueId> ids_;
    std::unordered_set<std::string> initializers_;
    // By index of the node in the file: what graphs inside it read from outside.
    std::unordered_map<int, std::vector<std::string>> captured_;
};

}  // namespace

Graph parse_model(std::span<const uint8_t> bytes, const std::string& where,
                  const std::optional<std::filesystem::path>& folder) {
    if (bytes.empty()) throw InputError("{}: the file is empty, not an ONNX model", where);
    if (bytes.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
        throw InputError(
            "{}: {} bytes; an ONNX file holds at most 2 GiB: larger models keep their weights in "
            "other files",
            where, bytes.size());
    }
    if (const std::string excess = excess_of(bytes); !excess.empty()) {
        throw InputError("{}: {}", where, excess);
    }
    const google::protobuf::LogSilencer quiet;  // the library does not print
    ModelProto model;
    const bool parsed = model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
    if (!parsed || !model.has_graph()) {
        throw InputError("{}: {}", where, damage_of(bytes));
    }
    inline_functions(model, where);
    ExternalFiles files(folder);
    return Reader(model, where, files).read();
}

Graph read_model(const std::filesystem::path& path) {
    return parse_model(read_file(path), path.string(), folder_of(path));
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
    return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

}  // namespace adiabat::onnx
