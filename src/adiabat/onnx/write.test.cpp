// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/write.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <filesystem>

#include "adiabat/net/simplify.h"
#include "adiabat/onnx/random_graph.test.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/wire.h"

namespace adiabat::onnx {
namespace {

namespace fs = std::filesystem;

TEST(WriteModel, IsReadBackAsItWas) {
    for (uint64_t seed = 0; seed < 500; ++seed) {
        const net::Graph graph = random_graph(seed);
        const auto bytes = serialize_model(graph);
        const net::Graph back = parse_model(bytes, "memory");
        net::check_graph(back);
        ASSERT_EQ(difference(graph, back), "") << "seed " << seed;
        ASSERT_EQ(serialize_model(back), bytes) << "seed " << seed;
    }
}

TEST(WriteModel, SizeDependsOnStructureAlone) {
    net::Graph graph = random_graph(7);
    const size_t before = serialize_model(graph).size();
    for (net::Value& value : graph.values) {
        if (value.constant) {
            value.constant =
                std::make_shared<const net::Tensor>(value.constant->type, value.constant->shape);
        }
    }
    EXPECT_EQ(serialize_model(graph).size(), before);
}

TEST(WriteModel, LeavesOutWhatNobodyReads) {
    net::Graph graph = random_graph(3);
    const auto before = serialize_model(graph);
    graph.add_constant("orphan", net::Tensor(net::DType::kFloat, {1000}));
    EXPECT_EQ(serialize_model(graph), before);
    EXPECT_EQ(model_bytes(graph), before.size());
}

TEST(WriteModel, WritesNoFieldThatIsEmpty) {
    net::Graph graph = random_graph(5);
    graph.producer.clear();
    for (net::Node& node : graph.nodes) node.name.clear();
    const auto bytes = serialize_model(graph);
    ::onnx::ModelProto proto;
    ASSERT_TRUE(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    EXPECT_FALSE(proto.has_producer_name());
    EXPECT_FALSE(proto.has_doc_string());
    EXPECT_EQ(proto.graph().value_info_size(), 0);
    for (const auto& node : proto.graph().node()) {
        EXPECT_FALSE(node.has_name());
        for (const auto& attribute : node.attribute()) EXPECT_TRUE(attribute.has_type());
    }
    for (const auto& tensor : proto.graph().initializer()) {
        EXPECT_EQ(tensor.float_data_size() + tensor.int32_data_size() + tensor.int64_data_size(),
                  0);
    }
}

TEST(WriteModel, FileHoldsTheSameBytes) {
    const fs::path path = fs::temp_directory_path() / "adiabat-write-test.onnx";
    const net::Graph graph = random_graph(11);
    write_model(graph, path);
    EXPECT_EQ(fs::file_size(path), model_bytes(graph));
    EXPECT_EQ(difference(graph, read_model(path)), "");
    fs::remove(path);
}

std::vector<fs::path> shared_models() {
    std::vector<fs::path> found;
    for (const char* folder : {"/../shared/models", "/../shared/models/zoo"}) {
        const fs::path path = fs::path(std::string(ADIABAT_SOURCE_DIR) + folder);
        if (!fs::is_directory(path)) continue;
        for (const auto& entry : fs::directory_iterator(path)) {
            if (entry.path().extension() == ".onnx") found.push_back(entry.path());
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

TEST(WriteModel, SharedModelsGoThereAndBack) {
    const auto models = shared_models();
    if (models.empty()) GTEST_SKIP() << "no models in ../shared/models beside the checkout";
    for (const fs::path& path : models) {
        const net::Graph graph = read_model(path);
        const auto bytes = serialize_model(graph);
        EXPECT_EQ(model_bytes(graph), bytes.size()) << path;
        EXPECT_EQ(difference(graph, parse_model(bytes, path)), "") << path;
    }
}

TEST(WriteModel, SharedModelsAreSimplifiedToPlainNetworks) {
    const auto models = shared_models();
    if (models.empty()) GTEST_SKIP() << "no models in ../shared/models beside the checkout";
    for (const fs::path& path : models) {
        net::Graph graph = read_model(path);
        net::simplify(graph);
        net::check_graph(graph);
        EXPECT_EQ(difference(graph, parse_model(serialize_model(graph), path)), "") << path;
        for (const net::Node& node : graph.nodes) {
            for (const char* gone :
                 {"Shape", "Gather", "ConstantOfShape", "Cast", "Unsqueeze", "Constant"}) {
                EXPECT_NE(node.op, gone) << path;
            }
        }
        // Everything is known but the batch.
        for (const net::Value& value : graph.values) {
            ASSERT_TRUE(value.shape) << path << " " << value.name;
            for (size_t d = 1; d < value.shape->size(); ++d) {
                EXPECT_NE((*value.shape)[d], net::kUnknown) << path << " " << value.name;
            }
        }
        EXPECT_EQ(graph.value(graph.outputs[0]).shape, (net::Shape{net::kUnknown, 10})) << path;
    }
}

}  // namespace
}  // namespace adiabat::onnx
