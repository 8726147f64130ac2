// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/wire.h"

#include <google/protobuf/io/coded_stream.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include "adiabat/onnx/random_graph.test.h"
#include "adiabat/onnx/write.h"

namespace adiabat::onnx {
namespace {

TEST(Wire, VarintsTakeWhatProtobufSays) {
    using google::protobuf::io::CodedOutputStream;
    for (int bit = 0; bit < 64; ++bit) {
        for (uint64_t value :
             {(uint64_t{1} << bit) - 1, uint64_t{1} << bit, (uint64_t{1} << bit) + 1}) {
            EXPECT_EQ(varint_bytes(value), CodedOutputStream::VarintSize64(value)) << value;
        }
    }
    EXPECT_EQ(varint_bytes(static_cast<uint64_t>(int64_t{-1})), 10u);
}

TEST(Wire, TensorsTakeWhatProtobufSays) {
    for (uint64_t seed = 0; seed < 200; ++seed) {
        Random random(seed);
        const net::Tensor tensor = random_tensor(random);
        const std::string name = random.below(3) ? random_name(random, "w", seed) : "";
        ::onnx::TensorProto proto;
        for (int64_t dimension : tensor.shape) proto.add_dims(dimension);
        proto.set_data_type(static_cast<int32_t>(tensor.type));
        if (!name.empty()) proto.set_name(name);
        if (tensor.size() > 0) proto.set_raw_data(tensor.bytes.data(), tensor.bytes.size());
        EXPECT_EQ(tensor_proto_bytes(tensor.type, tensor.shape, name), proto.ByteSizeLong())
            << "seed " << seed;
    }
}

TEST(Wire, ModelsAndTheirNodesTakeWhatIsWritten) {
    for (uint64_t seed = 0; seed < 500; ++seed) {
        const net::Graph graph = random_graph(seed);
        const auto bytes = serialize_model(graph);
        ASSERT_EQ(model_bytes(graph), bytes.size()) << "seed " << seed;
        ::onnx::ModelProto proto;
        ASSERT_TRUE(proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
        for (size_t n = 0; n < graph.nodes.size(); ++n) {
            ASSERT_EQ(node_proto_bytes(graph, graph.nodes[n]),
                      proto.graph().node(static_cast<int>(n)).ByteSizeLong());
        }
    }
}

TEST(Wire, AFieldIsTagLengthAndBody) {
    EXPECT_EQ(field_bytes(1, 0), 2u);
    EXPECT_EQ(field_bytes(15, 127), 129u);
    EXPECT_EQ(field_bytes(16, 128), 132u);
}

}  // namespace
}  // namespace adiabat::onnx
