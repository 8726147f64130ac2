// SPDX-License-Identifier: Apache-2.0
#pragma once

// Graphs that make no sense but are well formed, for what must hold of every graph.

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <string>

#include "adiabat/base/random.h"
#include "adiabat/net/graph.h"

namespace adiabat::onnx {

inline net::Tensor random_tensor(Random& random) {
    constexpr net::DType kTypes[] = {net::DType::kFloat,   net::DType::kInt8,  net::DType::kUint8,
                                     net::DType::kInt64,   net::DType::kInt4,  net::DType::kBool,
                                     net::DType::kFloat16, net::DType::kDouble};
    net::Shape shape;
    for (uint32_t rank = random.below(4); rank > 0; --rank) {
        shape.push_back(random.below(8) ? 1 + random.below(20) : 0);
    }
    net::Tensor tensor(kTypes[random.below(8)], shape);
    // Below 0x70 no pattern of any type is infinite or NaN.
    for (uint8_t& byte : tensor.bytes) byte = static_cast<uint8_t>(random.below(0x70));
    if (bits_of(tensor.type) == 4 && tensor.size() % 2 == 1) tensor.bytes.back() &= 15;
    return tensor;
}

inline std::string random_name(Random& random, const char* kind, size_t number) {
    // Lengths around 128, where a length takes one byte more.
    const std::string padding(random.below(6) ? random.below(12) : 118 + random.below(20), '_');
    return fmt::format("{}{}{}", kind, number, padding);
}

inline net::Attribute random_attribute(Random& random) {
    const auto number = [&] {
        const int64_t wide = static_cast<int64_t>(random()) << random.below(32);
        return random.below(2) ? wide : -wide;
    };
    const size_t count = random.below(4);
    switch (random.below(7)) {
        case 0:
            return number();
        case 1:
            return random.uniform_float();
        case 2:
            return random_name(random, "s", 0);
        case 3: {
            std::vector<int64_t> values(count);
            for (auto& value : values) value = number();
            return values;
        }
        case 4:
            return std::vector<float>(count, 0.5f);
        case 5:
            return std::vector<std::string>(count, random_name(random, "t", 1));
        default:
            return random_tensor(random);
    }
}

// An attribute of a kind that stays as bytes; a graph in it reads `outer`, if that is not empty.
inline net::RawAttribute random_raw_attribute(Random& random, const std::string& name,
                                              const std::string& outer) {
    ::onnx::AttributeProto proto;
    proto.set_name(name);
    if (!outer.empty()) {
        proto.set_type(::onnx::AttributeProto::GRAPH);
        auto& node = *proto.mutable_g()->add_node();
        node.set_op_type("Relu");
        node.add_input(outer);
        node.add_output("inner");
        proto.mutable_g()->set_name("body");
        proto.mutable_g()->add_output()->set_name("inner");
    } else if (random.below(2)) {
        proto.set_type(::onnx::AttributeProto::TYPE_PROTO);
        proto.mutable_tp()->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type();
    } else {
        proto.set_type(::onnx::AttributeProto::TENSOR);
        proto.mutable_t()->set_data_type(::onnx::TensorProto::STRING);
        proto.mutable_t()->add_dims(1);
        proto.mutable_t()->add_string_data(random_name(random, "text", 0));
    }
    return {proto.SerializeAsString()};
}

// Documentation, and a field that no schema knows.
inline std::string random_notes(Random& random, int doc_string_field, int unknown_field) {
    std::string notes;
    const auto append = [&](size_t number) {
        for (; number > 127; number >>= 7) notes += static_cast<char>((number & 127) | 128);
        notes += static_cast<char>(number);
    };
    for (const int field : {doc_string_field, unknown_field}) {
        if (random.below(3)) continue;
        const std::string text = random_name(random, "doc", 0);
        append(static_cast<size_t>(field) << 3 | 2);
        append(text.size());
        notes += text;
    }
    return notes;
}

// Inputs first, then constants, then what nodes produce: the order in which a file is read.
inline net::Graph random_graph(uint64_t seed) {
    Random random(seed);
    net::Graph graph;
    graph.name = random_name(random, "g", 0);
    graph.opset = 1 + static_cast<int>(random.below(25));
    graph.ir_version = 4 + static_cast<int>(random.below(7));
    if (random.below(2)) graph.producer = random_name(random, "p", 0);
    for (uint32_t k = random.below(3); k > 0; --k) {
        graph.metadata[random_name(random, "k", k)] = random.below(2) ? "value" : "";
    }
    const auto add = [&](const char* kind) {
        return graph.add_value(random_name(random, kind, graph.values.size()));
    };
    graph.notes.model = random_notes(random, 6, 102);
    graph.notes.graph = random_notes(random, 10, 103);
    if (random.below(2)) graph.notes.domains = {{"com.example", 3}, {"unused.example", 7}};
    const uint32_t inputs = 1 + random.below(2);
    for (uint32_t k = 0; k < inputs; ++k) {
        const net::ValueId id = add("in");
        graph.value(id).type = net::DType::kFloat;
        graph.value(id).shape = net::Shape{random.below(2) ? net::kUnknown : 1, 3, net::kUnknown};
        if ((*graph.value(id).shape)[0] == net::kUnknown && random.below(2)) {
            graph.value(id).axis_names = {"N"};
        }
        if (random.below(2)) {
            graph.value(id).axis_names.resize(3);
            graph.value(id).axis_names[2] = "width";
        }
        graph.value(id).notes = random_notes(random, 3, 100);
        graph.inputs.push_back(id);
    }
    const uint32_t constants = 1 + random.below(5);
    for (uint32_t k = 0; k < constants; ++k) {
        graph.add_constant(random_name(random, "c", graph.values.size()), random_tensor(random));
    }
    const uint32_t nodes = 1 + random.below(8);
    for (uint32_t n = 0; n < nodes; ++n) {
        net::Node node;
        node.op = random_name(random, "Op", 0);
        if (random.below(5) == 0) node.domain = random.below(2) ? "com.example" : "org.example";
        if (random.below(2)) node.name = random_name(random, "n", n);
        node.notes = random_notes(random, 6, 101);
        for (uint32_t k = random.below(4); k > 0; --k) {
            const auto id =
                static_cast<net::ValueId>(random.below(static_cast<uint32_t>(graph.values.size())));
            node.inputs.push_back(random.below(5) ? id : net::kNoValue);
        }
        // The first node reads every constant, so that none is left out of the file.
        for (uint32_t k = 0; n == 0 && k < constants; ++k) {
            node.inputs.push_back(static_cast<net::ValueId>(graph.inputs.size() + k));
        }
        for (uint32_t k = 0; k < 1 + random.below(2); ++k) node.outputs.push_back(add("v"));
        if (random.below(4) == 0) node.outputs.push_back(net::kNoValue);
        for (uint32_t k = random.below(4); k > 0; --k) {
            const std::string name = random_name(random, "a", k);
            net::Attribute attribute = random_attribute(random);
            // Of other domains no tensor is interpreted.
            const bool raw = !node.domain.empty() && std::get_if<net::Tensor>(&attribute);
            if (raw || random.below(8) == 0) attribute = random_raw_attribute(random, name, "");
            node.attributes[name] = attribute;
        }
        if (random.below(4) == 0) {
            const auto outer = static_cast<net::ValueId>(random.below(inputs + constants));
            node.attributes["body"] = random_raw_attribute(random, "body", graph.value(outer).name);
            node.captured = {outer};
        }
        for (net::ValueId id : node.outputs) {
            if (id == net::kNoValue || random.below(3)) continue;
            graph.value(id).type = net::DType::kFloat16;
            graph.value(id).shape = net::Shape{net::kUnknown, 7};
        }
        graph.nodes.push_back(node);
    }
    net::Value& output = graph.values.back();
    output.type = net::DType::kInt8;
    output.shape.reset();
    if (random.below(2)) output.shape = net::Shape{net::kUnknown, 10};
    if (random.below(4) == 0) {
        ::onnx::TypeProto type;
        type.mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type()->set_elem_type(1);
        output.other_type = type.SerializeAsString();
        output.type = net::DType::kUndefined;
        output.shape.reset();
    }
    graph.outputs.push_back(static_cast<net::ValueId>(graph.values.size()) - 1);
    return graph;
}

// Where two graphs differ in what a file carries; empty where they do not. Values are compared by
// name, the types and shapes of inputs and outputs alone.
inline std::string difference(const net::Graph& a, const net::Graph& b) {
    if (a.name != b.name || a.opset != b.opset || a.ir_version != b.ir_version) return "header";
    if (a.producer != b.producer || a.metadata != b.metadata) return "producer or metadata";
    if (a.notes.model != b.notes.model || a.notes.graph != b.notes.graph) return "notes";
    if (needed_domains(a) != needed_domains(b)) return "versions of operator sets";
    const auto same = [&](const std::vector<net::ValueId>& x, const std::vector<net::ValueId>& y) {
        if (x.size() != y.size()) return false;
        for (size_t k = 0; k < x.size(); ++k) {
            if ((x[k] == net::kNoValue) != (y[k] == net::kNoValue)) return false;
            if (x[k] == net::kNoValue) continue;
            const net::Value &v = a.value(x[k]), &w = b.value(y[k]);
            if (v.name != w.name || !v.constant != !w.constant) return false;
            if (v.constant && *v.constant != *w.constant) return false;
        }
        return true;
    };
    const auto same_types = [&](const std::vector<net::ValueId>& x,
                                const std::vector<net::ValueId>& y) {
        for (size_t k = 0; k < x.size(); ++k) {
            const net::Value &v = a.value(x[k]), &w = b.value(y[k]);
            if (v.type != w.type || v.shape != w.shape || v.axis_names != w.axis_names ||
                v.notes != w.notes || v.other_type != w.other_type) {
                return false;
            }
        }
        return true;
    };
    if (!same(a.inputs, b.inputs) || !same_types(a.inputs, b.inputs)) return "inputs";
    if (!same(a.outputs, b.outputs) || !same_types(a.outputs, b.outputs)) return "outputs";
    if (a.nodes.size() != b.nodes.size()) return "number of nodes";
    for (size_t n = 0; n < a.nodes.size(); ++n) {
        const net::Node &x = a.nodes[n], &y = b.nodes[n];
        if (x.op != y.op || x.domain != y.domain || x.name != y.name ||
            x.attributes != y.attributes || !same(x.inputs, y.inputs) ||
            !same(x.outputs, y.outputs) || !same(x.captured, y.captured) || x.notes != y.notes) {
            return fmt::format("node {}: {} {}", n, x.op, x.name);
        }
    }
    return "";
}

}  // namespace adiabat::onnx
