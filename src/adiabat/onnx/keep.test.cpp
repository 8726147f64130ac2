// SPDX-License-Identifier: Apache-2.0
//
// What nobody interprets stays: graphs inside attributes and what they read, strings, types, other
// domains; functions, sparse tensors and weights in other files become what the graph can hold.
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "adiabat/base/errors.h"
#include "adiabat/net/simplify.h"
#include "adiabat/onnx/damage.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/wire.h"
#include "adiabat/onnx/write.h"

namespace adiabat::onnx {
namespace {

namespace fs = std::filesystem;
using ::onnx::AttributeProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;
using ::onnx::TensorProto;

void add_value(::onnx::ValueInfoProto& info, const std::string& name) {
    info.set_name(name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(TensorProto::FLOAT);
    type.mutable_shape()->add_dim()->set_dim_param("N");
    type.mutable_shape()->add_dim()->set_dim_value(4);
}

template <typename Nodes>
NodeProto& add_node(Nodes& nodes, const std::string& op, const std::vector<std::string>& in,
                    const std::string& out) {
    NodeProto& node = *nodes.add_node();
    node.set_op_type(op);
    for (const auto& name : in) node.add_input(name);
    node.add_output(out);
    return node;
}

TensorProto& add_initializer(ModelProto& model, const std::string& name, int type, int64_t size) {
    auto& tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    tensor.add_dims(size);
    return tensor;
}

// x -> y, w four floats; nodes come on top.
ModelProto empty_model() {
    ModelProto model;
    model.set_ir_version(8);
    model.add_opset_import()->set_version(17);
    auto& graph = *model.mutable_graph();
    graph.set_name("g");
    add_value(*graph.add_input(), "x");
    add_value(*graph.add_output(), "y");
    auto& w = add_initializer(model, "w", TensorProto::FLOAT, 4);
    for (float value : {1.0f, 2.0f, 3.0f, 4.0f}) w.add_float_data(value);
    return model;
}

std::vector<uint8_t> bytes_of(const ModelProto& model) {
    std::vector<uint8_t> bytes(model.ByteSizeLong());
    model.SerializeToArray(bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
}
net::Graph parse(const ModelProto& model) { return parse_model(bytes_of(model), "m.onnx"); }
ModelProto written(const net::Graph& graph) {
    const auto bytes = serialize_model(graph);
    EXPECT_EQ(bytes.size(), model_bytes(graph));
    ModelProto model;
    EXPECT_TRUE(model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    return model;
}

std::string message_of(const std::function<void()>& act) {
    try {
        act();
    } catch (const InputError& error) {
        return error.what();
    }
    return "no error";
}
std::string message_of(const ModelProto& model) {
    return message_of([&] { parse(model); });
}
void expect_has(const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  has no: " << part;
}

void give_branch(NodeProto& node, const char* name, const std::string& reads) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(AttributeProto::GRAPH);
    auto& graph = *attribute.mutable_g();
    graph.set_name(name);
    add_node(graph, "Neg", {reads}, std::string(name) + "_out");
    graph.add_output()->set_name(std::string(name) + "_out");
}

// y = If(c) {-(x + w)} else {-w}, where x + w stands behind an Identity.
ModelProto model_with_if() {
    ModelProto model = empty_model();
    auto& graph = *model.mutable_graph();
    add_value(*graph.add_input(), "c");
    add_node(graph, "Add", {"x", "w"}, "sum");
    add_node(graph, "Identity", {"sum"}, "same");
    add_node(graph, "Identity", {"w"}, "w_same");
    auto& node = add_node(graph, "If", {"c"}, "y");
    give_branch(node, "else_branch", "w_same");  // attributes are written in the order of names
    give_branch(node, "then_branch", "same");
    return model;
}

TEST(Keep, GraphsInsideAttributesAndWhatTheyRead) {
    const ModelProto model = model_with_if();
    net::Graph graph = parse(model);
    net::check_graph(graph);
    const net::Node& node = graph.nodes.back();
    ASSERT_EQ(node.captured.size(), 2u);
    EXPECT_EQ(graph.value(node.captured[0]).name, "same");
    EXPECT_EQ(written(graph).graph().node(3).SerializeAsString(),
              model.graph().node(3).SerializeAsString());
    const net::Uses uses(graph);
    EXPECT_EQ(uses.readers(graph.find("same")), std::vector<int>{3});

    net::simplify(graph);
    net::check_graph(graph);
    // The sum took over the name that the branch knows, the constant is there under the other one.
    ASSERT_EQ(graph.nodes.size(), 2u);
    EXPECT_EQ(graph.value(graph.nodes[0].outputs[0]).name, "same");
    const ModelProto after = written(graph);
    ASSERT_EQ(after.graph().initializer_size(), 2);
    EXPECT_NO_THROW(parse(after));
}

TEST(Keep, OrdersNodesByWhatGraphsInsideRead) {
    ModelProto model = model_with_if();
    auto& nodes = *model.mutable_graph()->mutable_node();
    nodes.SwapElements(0, 3);
    const net::Graph graph = parse(model);
    EXPECT_EQ(graph.nodes.back().op, "If");
    model.mutable_graph()->mutable_node()->DeleteSubrange(1, 1);
    expect_has(message_of(model), "If (writes y) reads 'same', which nothing produces");
}

TEST(Keep, NamesInsideHideThoseOutside) {
    ModelProto model = model_with_if();
    auto& branch = *model.mutable_graph()->mutable_node(3)->mutable_attribute(1)->mutable_g();
    branch.add_initializer()->set_name("same");
    EXPECT_EQ(parse(model).nodes.back().captured.size(), 1u);
    branch.add_output();  // without a name: damaged, and nobody's value
    EXPECT_EQ(parse(model).nodes.back().captured.size(), 1u);
}

TEST(Keep, OtherDomainsWithTheirVersionsAndAllTheirFields) {
    ModelProto model = empty_model();
    auto& import = *model.add_opset_import();
    import.set_domain("com.example");
    import.set_version(3);
    auto& node = add_node(*model.mutable_graph(), "Wobble", {"x", "w"}, "y");
    node.set_domain("com.example");
    node.set_doc_string("words");
    auto& tensor = *node.add_attribute();
    tensor.set_name("a_tensor");
    tensor.set_doc_string("more words");
    tensor.set_type(AttributeProto::TENSOR);
    tensor.mutable_t()->set_name("inside");
    tensor.mutable_t()->set_data_type(TensorProto::FLOAT);
    tensor.mutable_t()->add_float_data(std::numeric_limits<float>::quiet_NaN());
    tensor.mutable_t()->add_dims(1);
    // Field 8 (overload) is younger than the oldest schema that we are built with.
    std::string bytes = node.SerializeAsString() + "\x42\x03two";
    ASSERT_TRUE(node.ParseFromString(bytes));
    EXPECT_EQ(written(parse(model)).SerializeAsString().size(),
              written(parse(written(parse(model)))).SerializeAsString().size());
    const ModelProto back = written(parse(model));
    EXPECT_EQ(back.graph().node(0).SerializeAsString(), node.SerializeAsString());
    ASSERT_EQ(back.opset_import_size(), 2);
    EXPECT_EQ(back.opset_import(1).version(), 3);
}

TEST(Keep, WhatTheFileSaysOfItself) {
    ModelProto model = empty_model();
    add_node(*model.mutable_graph(), "Relu", {"x"}, "y").set_name("r");
    model.set_producer_version("1.2");
    model.set_model_version(7);
    model.set_doc_string("of the model");
    model.set_domain("org.example");
    model.mutable_graph()->set_doc_string("of the graph");
    model.mutable_graph()->mutable_input(0)->set_doc_string("of the input");
    model.mutable_graph()->mutable_node(0)->set_doc_string("of the node");
    model.add_training_info()->add_initialization_binding()->set_key("gone");
    auto& dims = *model.mutable_graph()->mutable_output(0)->mutable_type();
    dims.mutable_tensor_type()->mutable_shape()->mutable_dim(1)->set_dim_param("classes");
    ModelProto back = written(parse(model));
    EXPECT_EQ(back.training_info_size(), 0);
    model.clear_training_info();
    model.mutable_graph()->clear_initializer();  // nobody reads it
    EXPECT_EQ(back.SerializeAsString(), model.SerializeAsString());
}

TEST(Keep, StringsAndTypesThatAreNoTensors) {
    ModelProto model = empty_model();
    auto& words = add_initializer(model, "words", TensorProto::STRING, 2);
    words.add_string_data("a");
    words.add_string_data("b");
    add_node(*model.mutable_graph(), "Lookup", {"x", "words"}, "q");
    add_node(*model.mutable_graph(), "Pick", {"q"}, "y");
    auto& info = *model.mutable_graph()->add_value_info();
    info.set_name("q");
    info.mutable_type()->mutable_sequence_type()->mutable_elem_type()->mutable_tensor_type();
    const net::Graph graph = parse(model);
    EXPECT_EQ(graph.value(graph.find("words")).type, net::DType::kString);
    EXPECT_EQ(graph.value(graph.find("words")).shape, net::Shape{2});
    const ModelProto back = written(graph);
    EXPECT_EQ(back.graph().node(0).op_type(), "Constant");
    EXPECT_EQ(back.graph().node(0).attribute(0).t().string_data(1), "b");
    ASSERT_EQ(back.graph().value_info_size(), 1);
    EXPECT_TRUE(back.graph().value_info(0).type().has_sequence_type());
}

// F(a, b; slope = 0.5) = LeakyRelu(a, alpha = slope) * b, in a domain of its own.
::onnx::FunctionProto& add_function(ModelProto& model) {
    auto& function = *model.add_functions();
    function.set_name("F");
    function.set_domain("local");
    function.add_input("a");
    function.add_input("b");
    function.add_output("d");
    function.add_attribute("slope");
    auto& import = *function.add_opset_import();
    import.set_domain("");
    import.set_version(17);
    auto& first = add_node(function, "LeakyRelu", {"a"}, "c");
    auto& alpha = *first.add_attribute();
    alpha.set_name("alpha");
    alpha.set_type(AttributeProto::FLOAT);
    alpha.set_ref_attr_name("slope");
    add_node(function, "Mul", {"c", "b"}, "d");
    return function;
}
NodeProto& call(ModelProto& model, const std::string& in, const std::string& out) {
    auto& node = add_node(*model.mutable_graph(), "F", {in, "w"}, out);
    node.set_domain("local");
    return node;
}

TEST(Inline, PutsFunctionsInPlaceOfTheirCalls) {
    ModelProto model = empty_model();
    add_function(model);
    auto& slope = *call(model, "x", "between").add_attribute();
    slope.set_name("slope");
    slope.set_type(AttributeProto::FLOAT);
    slope.set_f(0.25f);
    call(model, "between", "y");
    const net::Graph graph = parse(model);
    net::check_graph(graph);
    ASSERT_EQ(graph.nodes.size(), 4u);
    EXPECT_EQ(graph.nodes[0].op, "LeakyRelu");
    EXPECT_EQ(graph.nodes[0].float_or("alpha", 0), 0.25f);
    EXPECT_FALSE(graph.nodes[2].has("alpha")) << "the call gave none, the function has none";
    EXPECT_EQ(graph.value(graph.nodes[1].outputs[0]).name, "between");
    EXPECT_EQ(graph.value(graph.nodes[3].outputs[0]).name, "y");
    EXPECT_NE(graph.nodes[0].outputs[0], graph.nodes[2].outputs[0]);
    EXPECT_EQ(written(graph).functions_size(), 0);
}

TEST(Inline, TakesDefaultsThatAreYoungerThanTheSchema) {
    ModelProto model = empty_model();
    auto& function = add_function(model);
    AttributeProto fallback;
    fallback.set_name("slope");
    fallback.set_type(AttributeProto::FLOAT);
    fallback.set_f(0.75f);
    const std::string body = fallback.SerializeAsString();
    const std::string bytes =
        function.SerializeAsString() + "\x5A" + static_cast<char>(body.size()) + body;  // field 11
    ASSERT_TRUE(function.ParseFromString(bytes));
    call(model, "x", "y");
    EXPECT_EQ(parse(model).nodes[0].float_or("alpha", 0), 0.75f);
}

TEST(Inline, HandsInputsOnAndGoesIntoGraphsInside) {
    ModelProto model = empty_model();
    auto& function = add_function(model);
    function.add_output("a");
    auto& inner = add_node(function, "If", {"b"}, "unread");
    give_branch(inner, "then_branch", "c");
    auto& node = call(model, "x", "between");
    node.add_output("y");
    const net::Graph graph = parse(model);
    net::check_graph(graph);
    ASSERT_EQ(graph.nodes.size(), 4u);
    const auto& branch = graph.nodes[2];
    ASSERT_EQ(branch.captured.size(), 1u);
    EXPECT_EQ(branch.captured[0], graph.nodes[0].outputs[0]);
    EXPECT_EQ(graph.nodes[3].op, "Identity");
    EXPECT_EQ(graph.value(graph.nodes[3].inputs[0]).name, "x");
}

TEST(Inline, RefusesFunctionsWithoutAnEnd) {
    ModelProto model = empty_model();
    auto& function = add_function(model);
    add_node(function, "F", {"a", "b"}, "more").set_domain("local");
    call(model, "x", "y");
    expect_has(message_of(model), "m.onnx: function 'F' calls itself");
}

// Each of 40 functions calls the next one twice.
TEST(Inline, RefusesFunctionsThatExplode) {
    ModelProto model = empty_model();
    for (int k = 0; k < 40; ++k) {
        auto& function = *model.add_functions();
        function.set_domain("local");
        function.set_name("F" + std::to_string(k));
        function.add_input("a");
        function.add_output("c");
        for (const char* out : {"b", "c"}) {
            add_node(function, k < 39 ? "F" + std::to_string(k + 1) : "Relu", {"a"}, out)
                .set_domain(k < 39 ? "local" : "");
        }
    }
    add_node(*model.mutable_graph(), "F0", {"x"}, "y").set_domain("local");
    expect_has(message_of(model), "become more than 262144 nodes");
}

TEST(Sparse, BecomesDense) {
    ModelProto model = empty_model();
    const auto add = [&](const std::string& name, std::vector<int64_t> at, bool by_axis) {
        auto& sparse = *model.mutable_graph()->add_sparse_initializer();
        sparse.add_dims(2);
        sparse.add_dims(3);
        auto& values = *sparse.mutable_values();
        values.set_name(name);
        values.set_data_type(TensorProto::FLOAT);
        values.add_dims(2);
        values.add_float_data(5);
        values.add_float_data(6);
        auto& indices = *sparse.mutable_indices();
        indices.set_data_type(TensorProto::INT64);
        indices.add_dims(2);
        if (by_axis) indices.add_dims(2);
        for (int64_t index : at) indices.add_int64_data(index);
        return &sparse;
    };
    add("flat", {1, 5}, false);
    add("by_axis", {0, 1, 1, 2}, true);
    add_node(*model.mutable_graph(), "Take", {"x", "flat", "by_axis"}, "y");
    const net::Graph graph = parse(model);
    const auto expected = net::Tensor::of<float>({2, 3}, std::vector<float>{0, 5, 0, 0, 0, 6});
    EXPECT_EQ(*graph.constant(graph.find("flat")), expected);
    EXPECT_EQ(*graph.constant(graph.find("by_axis")), expected);

    add("wrong", {1, 6}, false);
    expect_has(message_of(model), "'wrong' has index 6 along a dimension of 6");
    auto* sparse = add("huge", {1, 5}, false);
    model.mutable_graph()->mutable_sparse_initializer()->DeleteSubrange(2, 1);
    sparse = model.mutable_graph()->mutable_sparse_initializer(2);
    sparse->set_dims(0, int64_t{1} << 35);
    expect_has(message_of(model), "'huge' is sparse: 24 bytes would become");
}

class External : public testing::Test {
  protected:
    External() : folder_(fs::path(testing::TempDir()) / "adiabat-external") {
        fs::create_directories(folder_ / "weights");
        std::ofstream file(folder_ / "weights" / "w.bin", std::ios::binary);
        const float values[] = {0, 5, 6, 7, 8};
        file.write(reinterpret_cast<const char*>(values), sizeof values);
    }
    ~External() override { fs::remove_all(folder_); }

    using Entries = std::vector<std::pair<std::string, std::string>>;
    static ModelProto model(const Entries& entries) {
        ModelProto model = empty_model();
        auto& w = *model.mutable_graph()->mutable_initializer(0);
        w.clear_float_data();
        w.set_data_location(TensorProto::EXTERNAL);
        for (const auto& [key, value] : entries) {
            auto& entry = *w.add_external_data();
            entry.set_key(key);
            entry.set_value(value);
        }
        add_node(*model.mutable_graph(), "Add", {"x", "w"}, "y");
        return model;
    }
    std::string message(const Entries& entries) const {
        return message_of([&] { parse_model(bytes_of(model(entries)), "m.onnx", folder_); });
    }

    fs::path folder_;
};

TEST_F(External, IsReadFromTheFolderOfTheModel) {
    const auto expected = net::Tensor::of<float>({4}, std::vector<float>{5, 6, 7, 8});
    for (const Entries& entries :
         {Entries{{"location", "weights/w.bin"}, {"offset", "4"}, {"length", "16"}},
          Entries{{"location", "weights/w.bin"}, {"offset", "4"}, {"checksum", "ignored"}}}) {
        const auto bytes = bytes_of(model(entries));
        std::ofstream(folder_ / "m.onnx", std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        const net::Graph graph = read_model(folder_ / "m.onnx");
        EXPECT_EQ(*graph.constant(graph.find("w")), expected);
        EXPECT_EQ(graph.notes.external_bytes, 16);
        EXPECT_EQ(written(graph).graph().initializer(0).raw_data().size(), 16u);
    }
}

TEST_F(External, MustHoldWhatTheTensorSays) {
    const std::string there = "weights/w.bin";
    expect_has(message({{"location", "weights/none.bin"}}), "no such file beside the model");
    expect_has(message({{"location", "weights"}}), "no such file beside the model");
    expect_has(message({{"location", there}, {"offset", "8"}}), "takes 16 bytes at 8 of ");
    expect_has(message({{"location", there}, {"offset", "9223372036854775807"}}), "which has 20");
    expect_has(message({{"location", there}, {"offset", "-4"}}), "offset '-4' is no number");
    expect_has(message({{"location", there}, {"offset", "99999999999999999999"}}), "is no number");
    expect_has(message({{"location", there}, {"length", "8"}}), "holds 8 bytes");
    expect_has(message({{"location", there}, {"length", "four"}}), "length 'four' is no number");
}

TEST_F(External, StaysInsideTheFolder) {
    for (const std::string& location :
         {std::string("/etc/hostname"), std::string("../w.bin"), std::string("weights/../../w.bin"),
          std::string(), std::string("weights/w.bin\0.txt", 18)}) {
        expect_has(message({{"location", location}}), "must lie in the model's folder");
    }
}

TEST(Excess, IsSeenBeforeAnythingIsAllocated) {
    ModelProto model = empty_model();
    for (int64_t k = 0; k < kMostNodes; ++k) model.mutable_graph()->add_node();
    EXPECT_EQ(excess_of(bytes_of(model)), "");
    model.mutable_graph()->add_node();
    expect_has(message_of(model), "has more than 262144 nodes");
    ModelProto wide = empty_model();
    auto& node = add_node(*wide.mutable_graph(), "Relu", {"x"}, "y");
    for (int64_t k = 0; k < kMostFields; ++k) node.add_attribute();
    expect_has(message_of(wide), "has more than 2097152 fields");
}

}  // namespace
}  // namespace adiabat::onnx
