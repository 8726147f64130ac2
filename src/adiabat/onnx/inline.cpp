// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/inline.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "adiabat/base/errors.h"
#include "adiabat/onnx/damage.h"
#include "adiabat/onnx/subgraphs.h"
#include "adiabat/onnx/wire_fields.h"

namespace adiabat::onnx {

namespace {

using ::onnx::AttributeProto;
using ::onnx::FunctionProto;
using ::onnx::GraphProto;
using ::onnx::NodeProto;
using Nodes = google::protobuf::RepeatedPtrField<NodeProto>;
using Attributes = std::map<std::string, AttributeProto>;

// Fields that the oldest schema we are built with does not know.
constexpr int kNodeOverload = 8, kFunctionDefaults = 11, kFunctionOverload = 13;

std::string domain_of(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

struct Function {
    const FunctionProto* proto = nullptr;
    Attributes defaults;
};

class Inliner {
  public:
    Inliner(::onnx::ModelProto& model, const std::string& where) : model_(model), where_(where) {
        for (const FunctionProto& function : model.functions()) add(function);
        note_names(model.graph());
    }

    void run() {
        expand(*model_.mutable_graph()->mutable_node(), 0);
        std::unordered_set<std::string> imported;
        for (const auto& import : model_.opset_import())
            imported.insert(domain_of(import.domain()));
        for (const FunctionProto& function : model_.functions()) {
            for (const auto& import : function.opset_import()) {
                if (imported.insert(domain_of(import.domain())).second) {
                    *model_.add_opset_import() = import;
                }
            }
        }
        model_.clear_functions();
    }

  private:
    // Functions of one domain and name, told apart by their overload.
    using Overloads = std::map<std::string, Function>;

    void add(const FunctionProto& proto) {
        const std::string bytes = proto.SerializeAsString();
        Function function{&proto, {}};
        for (const std::string& field : fields_of(bytes, kFunctionDefaults)) {
            AttributeProto attribute;
            if (attribute.ParseFromString(field)) {
                const std::string name = attribute.name();
                function.defaults[name] = std::move(attribute);
            }
        }
        const auto overload = fields_of(bytes, kFunctionOverload);
        functions_[{domain_of(proto.domain()), proto.name()}]
                  [overload.empty() ? "" : overload.back()] = std::move(function);
    }

    void note_names(const GraphProto& graph) {
        for (const auto& input : graph.input()) names_.insert(input.name());
        for (const auto& tensor : graph.initializer()) names_.insert(tensor.name());
        for (const auto& tensor : graph.sparse_initializer()) {
            names_.insert(tensor.values().name());
        }
        note_names(graph.node());
    }
    void note_names(const Nodes& nodes) {
        for (const auto& node : nodes) {
            names_.insert(node.output().begin(), node.output().end());
            for (const auto& attribute : node.attribute()) {
                if (attribute.has_g()) note_names(attribute.g());
                for (const auto& graph : attribute.graphs()) note_names(graph);
            }
        }
    }

    const Function* called_by(const NodeProto& node) const {
        const auto found = functions_.find({domain_of(node.domain()), node.op_type()});
        if (found == functions_.end()) return nullptr;
        const auto overload = fields_of(node.SerializeAsString(), kNodeOverload);
        const auto one = found->second.find(overload.empty() ? "" : overload.back());
        return one == found->second.end() ? nullptr : &one->second;
    }

    // Replaces the calls among the nodes and in the graphs inside them.
    void expand(Nodes& nodes, int depth) {
        Nodes expanded;
        for (NodeProto& node : nodes) {
            for (auto& attribute : *node.mutable_attribute()) {
                if (attribute.has_g()) expand(*attribute.mutable_g()->mutable_node(), depth);
                for (auto& graph : *attribute.mutable_graphs()) {
                    expand(*graph.mutable_node(), depth);
                }
            }
            const Function* function = called_by(node);
            if (!function) {
                expanded.Add(std::move(node));
                continue;
            }
            if (depth > model_.functions_size()) {
                throw InputError("{}: function '{}' calls itself: it has no end", where_,
                                 node.op_type());
            }
            Nodes body = body_of(*function, node);
            expand(body, depth + 1);
            for (NodeProto& inner : body) expanded.Add(std::move(inner));
        }
        nodes.Swap(&expanded);
    }

    // The function's nodes in the words of the call.
    Nodes body_of(const Function& function, const NodeProto& call) {
        const FunctionProto& proto = *function.proto;
        made_ += proto.node_size() + 1;
        if (made_ > kMostNodes) {
            throw InputError("{}: calls of function '{}' and others become more than {} nodes",
                             where_, proto.name(), kMostNodes);
        }
        std::unordered_map<std::string, std::string> names;
        for (int k = 0; k < proto.input_size(); ++k) {
            names[proto.input(k)] = k < call.input_size() ? call.input(k) : "";
        }
        Nodes body, handed_on;
        for (int k = 0; k < std::min(proto.output_size(), call.output_size()); ++k) {
            if (call.output(k).empty()) continue;
            const auto [known, is_new] = names.emplace(proto.output(k), call.output(k));
            if (is_new) continue;
            // An input, or another output, that is handed on.
            NodeProto& identity = *handed_on.Add();
            identity.set_op_type("Identity");
            identity.add_input(known->second);
            identity.add_output(call.output(k));
        }
        Attributes attributes = function.defaults;
        for (const auto& attribute : call.attribute()) attributes[attribute.name()] = attribute;
        const std::string prefix = call.name().empty() ? proto.name() : call.name();
        const auto renamed = [&](const std::string& name) {
            if (name.empty()) return name;
            const auto [known, is_new] = names.emplace(name, "");
            if (is_new) known->second = unused(prefix + "/" + name);
            return known->second;
        };
        for (const NodeProto& original : proto.node()) {
            NodeProto& node = *body.Add();
            node = original;
            for (auto& input : *node.mutable_input()) input = renamed(input);
            for (auto& output : *node.mutable_output()) output = renamed(output);
            if (!node.name().empty()) node.set_name(prefix + "/" + node.name());
            settle_attributes(node, attributes);
            rename_captured(node, renamed);
        }
        for (NodeProto& identity : handed_on) body.Add(std::move(identity));
        return body;
    }

    std::string unused(const std::string& wanted) {
        std::string name = wanted;
        while (!names_.insert(name).second) name = fmt::format("{}_{}", wanted, ++tries_[wanted]);
        return name;
    }

    // Attributes that refer to the function's take their values; those without one go.
    static void settle_attributes(NodeProto& node, const Attributes& values) {
        google::protobuf::RepeatedPtrField<AttributeProto> settled;
        for (AttributeProto& attribute : *node.mutable_attribute()) {
            if (!attribute.ref_attr_name().empty()) {
                const auto value = values.find(attribute.ref_attr_name());
                if (value == values.end()) continue;
                const std::string name = attribute.name();
                attribute = value->second;
                attribute.set_name(name);
            }
            if (attribute.has_g()) settle_graph(*attribute.mutable_g(), values);
            for (auto& graph : *attribute.mutable_graphs()) settle_graph(graph, values);
            settled.Add(std::move(attribute));
        }
        node.mutable_attribute()->Swap(&settled);
    }
    static void settle_graph(GraphProto& graph, const Attributes& values) {
        for (NodeProto& node : *graph.mutable_node()) settle_attributes(node, values);
    }

    ::onnx::ModelProto& model_;
    const std::string& where_;
    std::map<std::pair<std::string, std::string>, Overloads> functions_;
    std::unordered_set<std::string> names_;
    std::unordered_map<std::string, int> tries_;  // numbers given to a name so far
    int64_t made_ = 0;
};

}  // namespace

void inline_functions(::onnx::ModelProto& model, const std::string& where) {
    if (model.functions_size() == 0) return;
    Inliner(model, where).run();
}

}  // namespace adiabat::onnx
