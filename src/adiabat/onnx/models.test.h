// SPDX-License-Identifier: Apache-2.0
#pragma once

// Models with tensors, for tests of what finds and packs them: made field by field through
// protobuf, with everything that a file can hold tensors in.

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::onnx::testing {

inline std::vector<uint8_t> to_bytes(const ::onnx::ModelProto& model) {
    const std::string text = model.SerializeAsString();
    return {text.begin(), text.end()};
}

// A tensor of that type whose raw data are given.
inline ::onnx::TensorProto tensor(const std::string& name, int type,
                                  const std::vector<int64_t>& dims, const std::string& raw) {
    ::onnx::TensorProto made;
    made.set_name(name);
    made.set_data_type(type);
    for (const int64_t dimension : dims) made.add_dims(dimension);
    made.set_raw_data(raw);
    return made;
}

// Floats as networks have them: about Gaussian, small.
inline std::string gaussian_floats(int64_t count, uint64_t seed) {
    Random random(seed);
    std::string raw;
    for (int64_t k = 0; k < count; ++k) {
        float sum = -6;
        for (int draw = 0; draw < 12; ++draw) sum += static_cast<float>(random.uniform());
        sum *= 0.05f;
        char bytes[sizeof sum];
        std::memcpy(bytes, &sum, sizeof sum);
        raw.append(bytes, sizeof bytes);
    }
    return raw;
}

inline std::string random_bytes(int64_t count, uint64_t seed, uint32_t below = 256) {
    Random random(seed);
    std::string raw;
    for (int64_t k = 0; k < count; ++k) raw += static_cast<char>(random.below(below));
    return raw;
}

// Tensors in initializers, in an attribute, in a subgraph, in a sparse tensor and in a function, of
// many types and sizes; small ones, equal ones, bit planes, fields that nobody knows.
inline ::onnx::ModelProto many_tensors(int64_t size = 400) {
    using Type = ::onnx::TensorProto;
    ::onnx::ModelProto model;
    model.set_ir_version(8);
    model.mutable_unknown_fields()->AddLengthDelimited(1000, "what comes after our time");
    auto& graph = *model.mutable_graph();
    const auto add = [&](const ::onnx::TensorProto& made) { *graph.add_initializer() = made; };
    add(tensor("weight", Type::FLOAT, {size}, gaussian_floats(size, 1)));
    add(tensor("again", Type::FLOAT, {size}, gaussian_floats(size, 1)));
    add(tensor("half", Type::FLOAT16, {2 * size}, random_bytes(4 * size, 2)));
    add(tensor("double", Type::DOUBLE, {size / 2}, gaussian_floats(size, 3)));
    add(tensor("planes", Type::UINT8, {size, 1, 3}, random_bytes(3 * size, 4)));
    add(tensor("codes", Type::INT8, {4 * size}, random_bytes(4 * size, 5, 11)));
    add(tensor("constant", Type::INT8, {4 * size}, std::string(4 * size, '\x85')));
    add(tensor("nibbles", Type::INT32 + 16, {8 * size - 1}, random_bytes(4 * size, 6)));  // INT4
    add(tensor("words", Type::INT16, {size}, random_bytes(2 * size, 7)));
    for (int k = 0; k < 5; ++k) {
        add(tensor(fmt::format("scale{}", k), Type::FLOAT, {16}, gaussian_floats(16, 20 + k)));
        add(tensor(fmt::format("bias{}", k), Type::INT32, {16}, random_bytes(64, 30 + k, 3)));
    }
    add(tensor("odd", Type::FLOAT, {}, random_bytes(1025, 8)));  // no whole number of floats
    add(tensor("unknown", 77, {}, random_bytes(2000, 9, 4)));
    auto& typed = *graph.add_initializer();
    typed.set_data_type(Type::FLOAT);
    for (int64_t k = 0; k < size; ++k) typed.add_float_data(static_cast<float>(k));
    auto& node = *graph.add_node();
    node.add_output("made");
    std::string shapes;
    for (int64_t k = 0; k < size; ++k) shapes += random_bytes(1, 100 + k) + std::string(7, '\0');
    *node.add_attribute()->mutable_t() = tensor("", Type::INT64, {size}, shapes);
    auto& inner = *node.add_attribute()->mutable_g();
    *inner.add_initializer() = tensor("inner", Type::FLOAT, {size}, gaussian_floats(size, 11));
    auto& sparse = *graph.add_sparse_initializer();
    *sparse.mutable_values() = tensor("sparse", Type::FLOAT, {size}, gaussian_floats(size, 12));
    auto& function = *model.add_functions()->add_node()->add_attribute();
    *function.add_tensors() = tensor("function", Type::UINT8, {2000}, random_bytes(2000, 13, 2));
    return model;
}

// Floats, bit planes, and floats too few for a section of their own.
inline ::onnx::ModelProto few_tensors() {
    ::onnx::ModelProto model;
    model.set_ir_version(8);
    auto& graph = *model.mutable_graph();
    *graph.add_initializer() =
        tensor("first", ::onnx::TensorProto::FLOAT, {256}, gaussian_floats(256, 1));
    *graph.add_initializer() =
        tensor("second", ::onnx::TensorProto::UINT8, {500, 1, 3}, random_bytes(1500, 2));
    *graph.add_initializer() =
        tensor("scales", ::onnx::TensorProto::FLOAT, {16}, gaussian_floats(16, 3));
    return model;
}

}  // namespace adiabat::onnx::testing
