// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/payloads.h"

#include <google/protobuf/message.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "adiabat/base/errors.h"
#include "adiabat/onnx/models.test.h"

namespace adiabat::onnx {
namespace {

namespace protobuf = google::protobuf;
using testing::many_tensors;
using testing::random_bytes;
using testing::tensor;
using testing::to_bytes;

// The raw data of every TensorProto anywhere in a message, through protobuf's own reflection.
void gather_raw(const protobuf::Message& message, std::vector<std::string>& found) {
    if (const auto* tensor = dynamic_cast<const ::onnx::TensorProto*>(&message)) {
        if (!tensor->raw_data().empty()) found.push_back(tensor->raw_data());
        return;
    }
    const protobuf::Reflection& reflection = *message.GetReflection();
    std::vector<const protobuf::FieldDescriptor*> fields;
    reflection.ListFields(message, &fields);
    for (const auto* field : fields) {
        if (field->cpp_type() != protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
        if (!field->is_repeated()) {
            gather_raw(reflection.GetMessage(message, field), found);
            continue;
        }
        for (int k = 0; k < reflection.FieldSize(message, field); ++k) {
            gather_raw(reflection.GetRepeatedMessage(message, field, k), found);
        }
    }
}

TEST(Payloads, AreThoseThatProtobufFinds) {
    const ::onnx::ModelProto model = many_tensors();
    const std::vector<uint8_t> bytes = to_bytes(model);
    std::vector<std::string> expected, found;
    gather_raw(model, expected);
    uint64_t end = 0;
    bool has_typed = false;
    for (const Payload& payload : payloads_of(bytes, "x")) {
        EXPECT_GE(payload.offset, end);  // in order, none over another
        end = payload.offset + payload.bytes;
        ASSERT_LE(end, bytes.size());
        const auto* begin = bytes.data() + payload.offset;
        std::string content(begin, begin + payload.bytes);
        if (payload.bytes == 1600 && content.substr(0, 4) == std::string(4, '\0')) {
            has_typed = true;  // float_data: 0, 1, 2, ..
            EXPECT_EQ(payload.type, net::DType::kFloat);
            continue;
        }
        found.push_back(std::move(content));
    }
    std::sort(expected.begin(), expected.end());
    std::sort(found.begin(), found.end());
    EXPECT_EQ(found, expected);
    EXPECT_TRUE(has_typed);
}

TEST(Payloads, HaveNamesTypesAndPlanes) {
    bool has_planes = false, has_made = false;
    for (const Payload& payload : payloads_of(to_bytes(many_tensors()), "x")) {
        EXPECT_EQ(payload.planes, payload.name == "planes" ? 3 : 0) << payload.name;
        has_planes |= payload.planes == 3;
        EXPECT_EQ(payload.type == net::DType::kInt4, payload.name == "nibbles");
        // An attribute's, named by what its node makes.
        has_made |= payload.name == "made" && payload.type == net::DType::kInt64;
    }
    EXPECT_TRUE(has_planes);
    EXPECT_TRUE(has_made);
}

TEST(Payloads, OnlyUint8OfThatShapeAreTakenForPlanes) {
    const auto planes_of = [](int type, const std::vector<int64_t>& dims, int64_t bytes) {
        ::onnx::ModelProto model;
        *model.mutable_graph()->add_initializer() = tensor("w", type, dims, random_bytes(bytes, 1));
        return payloads_of(to_bytes(model), "x").at(0).planes;
    };
    EXPECT_EQ(planes_of(::onnx::TensorProto::UINT8, {50, 1, 4}, 200), 4);
    EXPECT_EQ(planes_of(::onnx::TensorProto::INT8, {50, 1, 4}, 200), 0);
    EXPECT_EQ(planes_of(::onnx::TensorProto::UINT8, {50, 1, 4}, 199), 0);
    EXPECT_EQ(planes_of(::onnx::TensorProto::UINT8, {50, 4}, 200), 0);
    EXPECT_EQ(planes_of(::onnx::TensorProto::UINT8, {25, 2, 4}, 200), 0);
    EXPECT_EQ(planes_of(::onnx::TensorProto::UINT8, {25, 1, 8}, 200), 0);
}

TEST(Payloads, WeightsInOtherFilesAreRefused) {
    ::onnx::ModelProto model;
    auto& weight = *model.mutable_graph()->add_initializer();
    weight.set_name("w");
    weight.set_data_location(::onnx::TensorProto::EXTERNAL);
    try {
        payloads_of(to_bytes(model), "net.onnx");
        FAIL();
    } catch (const InputError& error) {
        EXPECT_NE(std::string(error.what()).find("net.onnx: tensor 'w'"), std::string::npos);
    }
}

TEST(Payloads, WhatIsNoModelIsRefused) {
    const std::vector<uint8_t> whole = to_bytes(many_tensors());
    EXPECT_THROW(payloads_of({}, "x"), InputError);
    EXPECT_THROW(payloads_of(std::span(whole).first(whole.size() / 2), "x"), InputError);
    const std::string text = "hello, I am text";
    EXPECT_THROW(payloads_of(std::vector<uint8_t>(text.begin(), text.end()), "x"), InputError);
}

}  // namespace
}  // namespace adiabat::onnx
