// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/read.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <functional>
#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat::onnx {
namespace {

using ::onnx::AttributeProto;
using ::onnx::ModelProto;
using ::onnx::TensorProto;

std::vector<uint8_t> bytes_of(const ModelProto& model) {
    std::vector<uint8_t> bytes(model.ByteSizeLong());
    model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}

void add_value(::onnx::ValueInfoProto& info, const std::string& name) {
    info.set_name(name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("N");
    type.mutable_shape()->add_dim()->set_dim_value(4);
}

::onnx::NodeProto& add_node(ModelProto& model, const std::string& op,
                            const std::vector<std::string>& in, const std::string& out) {
    auto& node = *model.mutable_graph()->add_node();
    node.set_op_type(op);
    node.set_name("the_" + out);
    for (const auto& name : in) node.add_input(name);
    node.add_output(out);
    return node;
}

TensorProto& add_initializer(ModelProto& model, const std::string& name, int type,
                             const std::vector<int64_t>& dims) {
    auto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (int64_t dimension : dims) tensor.add_dims(dimension);
    return tensor;
}

// y = Relu(x + w), w four floats.
ModelProto small_model() {
    ModelProto model;
    model.set_ir_version(8);
    model.set_producer_name("tester");
    auto& opset = *model.add_opset_import();
    opset.set_version(13);
    auto& graph = *model.mutable_graph();
    graph.set_name("small");
    add_value(*graph.add_input(), "x");
    add_value(*graph.add_output(), "y");
    auto& w = add_initializer(model, "w", TensorProto::FLOAT, {4});
    for (float value : {1.0f, 2.0f, 3.0f, 4.0f}) w.add_float_data(value);
    add_node(model, "Add", {"x", "w"}, "sum");
    add_node(model, "Relu", {"sum"}, "y");
    return model;
}

net::Graph parse(const ModelProto& model) { return parse_model(bytes_of(model), "m.onnx"); }

std::string message_of(std::span<const uint8_t> bytes) {
    try {
        parse_model(bytes, "m.onnx");
    } catch (const InputError& error) {
        EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
        return error.what();
    }
    return "no error";
}
// What is said of the small model after a change.
std::string message_after(const std::function<void(ModelProto&)>& change) {
    ModelProto model = small_model();
    change(model);
    return message_of(bytes_of(model));
}

void expect_has(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  has no: " << part;
}

TEST(ReadModel, FillsTheGraph) {
    ModelProto model = small_model();
    auto& entry = *model.add_metadata_props();
    entry.set_key("author");
    entry.set_value("me");
    const net::Graph graph = parse(model);
    net::check_graph(graph);
    EXPECT_EQ(graph.name, "small");
    EXPECT_EQ(graph.opset, 13);
    EXPECT_EQ(graph.ir_version, 8);
    EXPECT_EQ(graph.producer, "tester");
    EXPECT_EQ(graph.metadata.at("author"), "me");
    ASSERT_EQ(graph.inputs.size(), 1u);
    const net::Value& x = graph.value(graph.inputs[0]);
    EXPECT_EQ(x.name, "x");
    EXPECT_EQ(x.shape, (net::Shape{net::kUnknown, 4}));
    EXPECT_EQ(x.axis_names, std::vector<std::string>{"N"});
    EXPECT_EQ(x.type, net::DType::kFloat);
    EXPECT_EQ(*graph.constant(graph.find("w")), net::Tensor::of<float>({4}, {1, 2, 3, 4}));
    EXPECT_EQ(graph.nodes.size(), 2u);
    EXPECT_EQ(graph.outputs, std::vector<net::ValueId>{graph.find("y")});
}

TEST(ReadModel, InitializersThatAreInputsTooAreConstants) {
    ModelProto model = small_model();
    add_value(*model.mutable_graph()->add_input(), "w");
    EXPECT_EQ(parse(model).inputs.size(), 1u);
}

TEST(ReadModel, SortsNodesAndKeepsAnOrderThatIsOne) {
    ModelProto model = small_model();
    model.mutable_graph()->mutable_node()->SwapElements(0, 1);
    const net::Graph graph = parse(model);
    net::check_graph(graph);
    EXPECT_EQ(graph.nodes[0].op, "Add");
    EXPECT_EQ(graph.nodes[1].op, "Relu");
}

TEST(ReadModel, ReadsEveryKindOfAttributeAndOptionalInputs) {
    ModelProto model = small_model();
    auto& node = add_node(model, "Thing", {"x", "", "w"}, "z");
    node.set_domain("ai.onnx");
    node.add_output("");
    const auto add = [&](const char* name, AttributeProto::AttributeType type) -> AttributeProto& {
        auto& attribute = *node.add_attribute();
        attribute.set_name(name);
        if (type != AttributeProto::UNDEFINED) attribute.set_type(type);
        return attribute;
    };
    add("i", AttributeProto::INT).set_i(-3);
    add("f", AttributeProto::FLOAT).set_f(0.5f);
    add("s", AttributeProto::STRING).set_s("text");
    add("old", AttributeProto::UNDEFINED).set_i(7);
    add("none", AttributeProto::INTS);
    auto& ints = add("ints", AttributeProto::INTS);
    ints.add_ints(1);
    ints.add_ints(2);
    add("floats", AttributeProto::FLOATS).add_floats(1.5f);
    add("strings", AttributeProto::STRINGS).add_strings("a");
    auto& tensor = *add("t", AttributeProto::TENSOR).mutable_t();
    tensor.set_data_type(TensorProto::INT64);
    tensor.add_int64_data(5);
    const net::Graph graph = parse(model);
    const net::Node& thing = graph.nodes[2];
    EXPECT_EQ(thing.domain, "");
    EXPECT_EQ(thing.inputs,
              (std::vector<net::ValueId>{graph.find("x"), net::kNoValue, graph.find("w")}));
    EXPECT_EQ(thing.outputs, (std::vector<net::ValueId>{graph.find("z"), net::kNoValue}));
    EXPECT_EQ(thing.int_or("i", 0), -3);
    EXPECT_EQ(thing.int_or("old", 0), 7);
    EXPECT_EQ(thing.float_or("f", 0), 0.5f);
    EXPECT_EQ(thing.string_or("s", ""), "text");
    EXPECT_EQ(thing.ints_or("ints", {}), (std::vector<int64_t>{1, 2}));
    EXPECT_TRUE(thing.ints_or("none", {9}).empty());
    EXPECT_EQ(std::get<std::vector<float>>(thing.attributes.at("floats")),
              std::vector<float>{1.5f});
    EXPECT_EQ(std::get<std::vector<std::string>>(thing.attributes.at("strings"))[0], "a");
    EXPECT_EQ(std::get<net::Tensor>(thing.attributes.at("t")), net::Tensor::scalar<int64_t>(5));
}

TEST(ReadModel, MakesConstantsOfConstantNodes) {
    ModelProto model = small_model();
    const auto constant = [&](const char* out, const char* form) -> AttributeProto& {
        auto& attribute = *add_node(model, "Constant", {}, out).add_attribute();
        attribute.set_name(form);
        return attribute;
    };
    auto& a = constant("a", "value_ints");
    a.set_type(AttributeProto::INTS);
    a.add_ints(4);
    auto& b = constant("b", "value_float");
    b.set_type(AttributeProto::FLOAT);
    b.set_f(2);
    auto& c = constant("c", "value_string");
    c.set_type(AttributeProto::STRING);
    c.set_s("text");
    const net::Graph graph = parse(model);
    EXPECT_EQ(*graph.constant(graph.find("a")), net::Tensor::of<int64_t>({1}, {4}));
    EXPECT_EQ(*graph.constant(graph.find("b")), net::Tensor::scalar(2.0f));
    ASSERT_EQ(graph.nodes.size(), 3u);
    EXPECT_EQ(graph.nodes[2].op, "Constant");
}

// Typed fields and raw data hold the same.
TEST(ReadModel, ReadsEveryNumericTypeFromBothKindsOfField) {
    struct Kind {
        int type;
        int bytes;  // of one element
    };
    for (const Kind kind :
         {Kind{TensorProto::FLOAT, 4}, Kind{TensorProto::DOUBLE, 8}, Kind{TensorProto::INT64, 8},
          Kind{TensorProto::INT32, 4}, Kind{TensorProto::UINT64, 8}, Kind{TensorProto::UINT32, 4},
          Kind{TensorProto::INT16, 2}, Kind{TensorProto::UINT16, 2}, Kind{TensorProto::INT8, 1},
          Kind{TensorProto::UINT8, 1}, Kind{TensorProto::BOOL, 1}}) {
        ModelProto typed = small_model(), raw = small_model();
        auto& t = add_initializer(typed, "v", kind.type, {2});
        auto& r = add_initializer(raw, "v", kind.type, {2});
        std::string data(static_cast<size_t>(2 * kind.bytes), '\0');
        if (kind.type == TensorProto::FLOAT || kind.type == TensorProto::DOUBLE) {
            const float f = 1;
            const double d = 1;
            const void* one = kind.bytes == 4 ? static_cast<const void*>(&f) : &d;
            std::memcpy(data.data() + kind.bytes, one, static_cast<size_t>(kind.bytes));
        } else {
            data[static_cast<size_t>(kind.bytes)] = 1;
        }
        r.set_raw_data(data);
        for (int value : {0, 1}) {
            switch (kind.type) {
                case TensorProto::FLOAT:
                    t.add_float_data(static_cast<float>(value));
                    break;
                case TensorProto::DOUBLE:
                    t.add_double_data(value);
                    break;
                case TensorProto::INT64:
                    t.add_int64_data(value);
                    break;
                case TensorProto::UINT32:
                case TensorProto::UINT64:
                    t.add_uint64_data(static_cast<uint64_t>(value));
                    break;
                default:
                    t.add_int32_data(value);
            }
        }
        const net::Graph a = parse(typed), b = parse(raw);
        EXPECT_EQ(*a.constant(a.find("v")), *b.constant(b.find("v"))) << kind.type;
        EXPECT_EQ(b.constant(b.find("v"))->to_doubles(), (std::vector<double>{0, 1})) << kind.type;
    }
}

TEST(ReadModel, KeepsFourBitWeightsPacked) {
    ModelProto model = small_model();
    add_initializer(model, "packed", 22, {3}).set_raw_data(std::string("\x21\x0F", 2));
    auto& typed = add_initializer(model, "typed", 22, {3});
    typed.add_int32_data(0x21);
    typed.add_int32_data(0x0F);
    const net::Graph graph = parse(model);
    EXPECT_EQ(graph.constant(graph.find("packed"))->to_ints(), (std::vector<int64_t>{1, 2, -1}));
    EXPECT_EQ(*graph.constant(graph.find("packed")), *graph.constant(graph.find("typed")));
}

TEST(ReadModel, SaysWhatIsWrongWithTheBytes) {
    const auto text = [](std::string_view words) {
        return message_of({reinterpret_cast<const uint8_t*>(words.data()), words.size()});
    };
    expect_has(text(""), "m.onnx: the file is empty");
    expect_has(text("hello, I am no network"),
               "is not an ONNX model: it begins with 'hello, I am no n'");
    expect_has(text("\x89PNG\r\n"), "is not an ONNX model: it begins with '\\x89PNG");
    expect_has(text("\x08\x08"), "holds no graph");
    const auto whole = bytes_of(small_model());
    for (size_t size = 1; size < whole.size(); ++size) {
        EXPECT_NE(message_of(std::span(whole).first(size)), "no error") << size << " bytes";
    }
    expect_has(message_of(std::span(whole).first(whole.size() / 2)), "is cut short");
}

TEST(ReadModel, AnyByteMayBeWrong) {
    const auto whole = bytes_of(small_model());
    for (size_t at = 0; at < whole.size(); ++at) {
        for (uint8_t flip : {0x01, 0x08, 0x80, 0xFF}) {
            auto damaged = whole;
            damaged[at] = static_cast<uint8_t>(damaged[at] ^ flip);
            try {
                net::check_graph(parse_model(damaged, "m.onnx"));
            } catch (const InputError&) {
                // The one way in which a file may be refused.
            }
        }
    }
}

TEST(ReadModel, NamesTheWeightThatIsWrong) {
    const auto with_values = [](std::vector<float> values) {
        return message_after([&](ModelProto& model) {
            auto& tensor = add_initializer(model, "conv1.weight", TensorProto::FLOAT,
                                           {static_cast<int64_t>(values.size())});
            for (float value : values) tensor.add_float_data(value);
        });
    };
    EXPECT_EQ(with_values({1, std::numeric_limits<float>::quiet_NaN()}),
              "m.onnx: initializer 'conv1.weight' holds a NaN; weights must be finite numbers");
    expect_has(with_values({1, -std::numeric_limits<float>::infinity()}),
               "'conv1.weight' holds an infinite");
    EXPECT_EQ(with_values({std::numeric_limits<float>::infinity()}), "no error") << "a bound";
    EXPECT_EQ(message_after([](ModelProto& model) {
                  add_initializer(model, "w2", TensorProto::FLOAT, {2, 3}).set_raw_data("12345678");
              }),
              "m.onnx: initializer 'w2' holds 8 bytes where float [2, 3] takes 24");
    expect_has(
        message_after([](ModelProto& model) {
            add_initializer(model, "w2", TensorProto::FLOAT, {int64_t{1} << 40, int64_t{1} << 40});
        }),
        "takes more than any file has");
    expect_has(message_after([](ModelProto& model) {
                   add_initializer(model, "w2", TensorProto::FLOAT,
                                   {int64_t{1} << 40, int64_t{1} << 40, 0});
               }),
               "takes more than any file has");
    expect_has(message_after([](ModelProto& model) {
                   add_initializer(model, "w2", TensorProto::FLOAT, {int64_t{1} << 40});
               }),
               "holds 0 bytes");
    expect_has(message_after([](ModelProto& model) {
                   add_initializer(model, "w2", TensorProto::FLOAT, {-2});
               }),
               "'w2' has shape [-2]: a dimension must be 0 to 2^40");
    expect_has(message_after([](ModelProto& model) {
                   auto& tensor = add_initializer(model, "big", TensorProto::FLOAT, {4});
                   tensor.set_data_location(TensorProto::EXTERNAL);
                   auto& entry = *tensor.add_external_data();
                   entry.set_key("location");
                   entry.set_value("weights.bin");
               }),
               "'big' keeps its data in another file ('weights.bin'): a model that is not read");
}

TEST(ReadModel, RefusesWhatIsNoGraph) {
    expect_has(message_after([](ModelProto& model) { model.clear_opset_import(); }),
               "no opset import");
    expect_has(message_after([](ModelProto& model) { add_node(model, "Relu", {"x"}, "sum"); }),
               "value 'sum' is produced twice");
    expect_has(message_after([](ModelProto& model) { add_node(model, "Relu", {"x"}, "w"); }),
               "value 'w' is produced twice");
    expect_has(message_after([](ModelProto& model) { add_node(model, "Relu", {"ghost"}, "z"); }),
               "Relu the_z reads 'ghost', which nothing produces");
    expect_has(message_after([](ModelProto& model) {
                   add_value(*model.mutable_graph()->add_output(), "nowhere");
               }),
               "output 'nowhere' is produced by no node");
    expect_has(message_after([](ModelProto& model) {
                   add_node(model, "Relu", {"b"}, "a");
                   add_node(model, "Relu", {"a"}, "b");
               }),
               "Relu the_a is part of a cycle");
}

TEST(ReadModel, SaysWhichFileIsMissing) {
    try {
        read_model("/nowhere/at/all.onnx");
        FAIL();
    } catch (const InputError& error) {
        expect_has(error.what(), "/nowhere/at/all.onnx");
    }
}

TEST(ReadModel, LeavesUnknownOperatorsToOthers) {
    ModelProto model = small_model();
    add_node(model, "Wobble", {"x"}, "z").set_domain("com.example");
    EXPECT_EQ(parse(model).nodes[2].domain, "com.example");
}

}  // namespace
}  // namespace adiabat::onnx
