// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/self_decoding.h"

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/net/simplify.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/write.h"

namespace adiabat::onnx {
namespace {

using net::DType;
using net::Tensor;
using net::ValueId;

// Codes read by DequantizeLinear and added to the input, so that they reach an output.
struct Coded {
    net::Graph graph;
    WeightCodes weight;
    Tensor codes;
};

Coded coded_graph(net::Shape shape, int bits, bool is_signed, uint64_t seed, int opset) {
    Coded result;
    net::Graph& g = result.graph;
    g.opset = opset;
    g.ir_version = 10;
    result.codes = Tensor(is_signed ? DType::kInt8 : DType::kUint8, shape);
    Random random(seed);
    const int lowest = is_signed ? -(1 << (bits - 1)) : 0;
    for (uint8_t& byte : result.codes.bytes) {
        byte = static_cast<uint8_t>(lowest + static_cast<int>(random.below(1u << bits)));
    }
    result.weight.ordinal = 3;
    result.weight.bits = bits;
    result.weight.codes = g.add_constant("w3", result.codes);
    result.weight.scales = g.add_constant("s3", Tensor::of<float>({1}, std::vector<float>{0.37f}));
    result.weight.input_scale = g.add_constant("S0", Tensor::scalar(0.11f));
    result.weight.bias_scales =
        g.add_constant("j3", Tensor::of<float>({1}, std::vector<float>{0.11f * 0.37f}));
    const ValueId x = g.add_value("input", DType::kFloat, shape),
                  y = g.add_value("sum", DType::kFloat, shape);
    const ValueId decoded = g.add_value("W3", DType::kFloat, shape),
                  z = g.add_value("out", DType::kFloat, shape);
    g.inputs = {x};
    g.outputs = {z};
    g.nodes.push_back({"DequantizeLinear",
                       "",
                       "",
                       {result.weight.codes, result.weight.input_scale},
                       {decoded},
                       {}});
    g.nodes.push_back({"Add", "", "", {x, decoded}, {y}, {}});
    g.nodes.push_back({"Mul", "", "", {y, result.weight.bias_scales}, {z}, {}});
    return result;
}

TEST(SelfDecoding, DecodesToTheSameCodesForEveryWidthShapeAndStorage) {
    uint64_t seed = 0;
    for (Storage storage : {Storage::kPlanes, Storage::kInt4, Storage::kInt8}) {
        for (int bits = 1; bits <= 8; ++bits) {
            for (bool is_signed : {true, false}) {
                for (const net::Shape& shape :
                     {net::Shape{3, 5, 3, 3}, {8, 8}, {1, 1}, {7, 1, 1}, {2, 4, 1, 2}}) {
                    Coded coded = coded_graph(shape, bits, is_signed, ++seed, 21);
                    encode_weights(coded.graph, {coded.weight}, storage, "");
                    net::Graph read = parse_model(serialize_model(coded.graph), "test");
                    net::simplify(read);
                    const ValueId codes = read.find("w3");
                    ASSERT_NE(codes, net::kNoValue) << bits;
                    ASSERT_TRUE(read.constant(codes)) << name_of(storage) << " " << bits;
                    EXPECT_EQ(*read.constant(codes), coded.codes)
                        << name_of(storage) << ", " << bits << " bits, " << net::to_string(shape);
                    EXPECT_EQ(read.constant(read.find("j3"))->as<float>()[0], 0.11f * 0.37f);
                }
            }
        }
    }
}

// Where codes are stored is found again, and other codes are stored in their place.
TEST(SelfDecoding, FindsStoredCodesAndReplacesThem) {
    uint64_t seed = 0;
    for (Storage storage : {Storage::kPlanes, Storage::kInt4, Storage::kInt8}) {
        for (int bits = 2; bits <= 8; ++bits) {
            for (bool is_signed : {true, false}) {
                for (const net::Shape& shape : {net::Shape{3, 5, 3, 3}, {8, 8}, {7, 1, 1}}) {
                    Coded coded = coded_graph(shape, bits, is_signed, ++seed, 21);
                    encode_weights(coded.graph, {coded.weight}, storage, "");
                    net::Graph read = parse_model(serialize_model(coded.graph), "test");
                    const auto stored = find_stored(read, read.find("w3"));
                    ASSERT_TRUE(stored) << name_of(storage) << " " << bits;
                    const bool is_packed = bits < 8 && storage != Storage::kInt8 &&
                                           (storage == Storage::kPlanes || bits <= 4);
                    EXPECT_EQ(stored->storage, is_packed ? storage : Storage::kInt8);
                    EXPECT_EQ(stored->bits, !is_packed ? 8 : storage == Storage::kInt4 ? 4 : bits);
                    EXPECT_EQ(packed(read, *stored, coded.codes), *read.constant(stored->constant));
                    const Tensor other = coded_graph(shape, bits, is_signed, seed + 999, 21).codes;
                    read.value(stored->constant).constant =
                        std::make_shared<const Tensor>(packed(read, *stored, other));
                    net::Graph changed = parse_model(serialize_model(read), "test");
                    net::simplify(changed);
                    EXPECT_EQ(*changed.constant(changed.find("w3")), other);
                }
            }
        }
    }
    // What is computed otherwise is not taken for codes.
    Coded coded = coded_graph({8, 8}, 3, true, 1, 21);
    encode_weights(coded.graph, {coded.weight}, Storage::kPlanes, "");
    coded.graph.nodes[2].op = "Identity";
    EXPECT_FALSE(find_stored(coded.graph, coded.graph.find("w3")));
    EXPECT_FALSE(find_stored(coded.graph, coded.graph.find("s3")));
    EXPECT_FALSE(find_stored(coded.graph, coded.graph.find("input")));
}

TEST(SelfDecoding, StoresBBitsACode) {
    for (int bits = 2; bits < 8; ++bits) {
        Coded coded = coded_graph({64, 64, 3, 3}, bits, true, 1, 13);
        encode_weights(coded.graph, {coded.weight}, Storage::kPlanes, "");
        const int64_t bytes = static_cast<int64_t>(serialize_model(coded.graph).size());
        EXPECT_GE(bytes, 36864 * bits / 8);
        EXPECT_LT(bytes, 36864 * bits / 8 + 900) << bits;
    }
}

TEST(SelfDecoding, PlanesHoldTheBits) {
    const std::vector<uint8_t> codes = {1, 2, 3, 0, 255, 254, 1, 1, 2};
    const auto planes = pack_planes(codes, 2);
    ASSERT_EQ(planes.size(), 4u);  // two blocks of two planes
    for (size_t n = 0; n < codes.size(); ++n) {
        for (size_t k = 0; k < 2; ++k) {
            EXPECT_EQ(planes[n / 8 * 2 + k] >> (n % 8) & 1, codes[n] >> k & 1);
        }
    }
}

TEST(SelfDecoding, Int4NeedsItsOpset) {
    Coded coded = coded_graph({4, 4}, 4, true, 1, 13);
    EXPECT_THROW(encode_weights(coded.graph, {coded.weight}, Storage::kInt4, ""), InputError);
}

TEST(SelfDecoding, PrefixKeepsAwayFromTheNetworksOwnNames) {
    net::Graph graph;
    graph.inputs = {graph.add_value("input")};
    graph.outputs = {graph.add_value("logits")};
    EXPECT_EQ(unused_prefix(graph), "");
    graph.value(0).name = "x";
    EXPECT_EQ(unused_prefix(graph), "");
    graph.value(0).name = "x0";
    EXPECT_EQ(unused_prefix(graph), "_");
    graph.value(1).name = "_k";
    EXPECT_EQ(unused_prefix(graph), "__");
    EXPECT_TRUE(is_shared_by_decoders("_t4", "_"));
    EXPECT_FALSE(is_shared_by_decoders("t4", "_"));
    EXPECT_FALSE(is_shared_by_decoders("w4", ""));
}

}  // namespace
}  // namespace adiabat::onnx
