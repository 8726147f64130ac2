// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plain multi-dimensional arrays, row-major, owned: what parameters, activations and engine buffers
// are.

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::net {

// Element types, numbered as in ONNX (TensorProto.DataType).
enum class DType : int {
    kUndefined = 0,
    kFloat = 1,
    kUint8 = 2,
    kInt8 = 3,
    kUint16 = 4,
    kInt16 = 5,
    kInt32 = 6,
    kInt64 = 7,
    kString = 8,
    kBool = 9,
    kFloat16 = 10,
    kDouble = 11,
    kUint32 = 12,
    kUint64 = 13,
    kBfloat16 = 16,
    kFloat8E4M3FN = 17,
    kFloat8E4M3FNUZ = 18,
    kFloat8E5M2 = 19,
    kFloat8E5M2FNUZ = 20,
    kUint4 = 21,
    kInt4 = 22,
    kFloat4E2M1 = 23,
    kFloat8E8M0 = 24,
    kUint2 = 25,
    kInt2 = 26,
};

// "float", "int8", as in ONNX.
std::string_view name_of(DType type);
// Bits of one element; 2 and 4 for the packed types, 0 for strings and unknown types.
int bits_of(DType type);
// Any of the floating types, from float4 to double.
bool is_floating(DType type);
// float, double, float16 or bfloat16: the types that networks compute in.
bool is_real(DType type);

using Shape = std::vector<int64_t>;
inline constexpr int64_t kUnknown = -1;

// Product of the dimensions, 1 for a scalar. Throws InputError where it is negative (an unknown
// dimension) or does not fit 63 bits.
int64_t elements(const Shape& shape);
// "[N, 3, 32, 32]", with "?" for an unknown dimension.
std::string to_string(const Shape& shape);

// Maps a C++ element type to its DType.
template <typename T>
struct DTypeOf;
template <>
struct DTypeOf<float> {
    static constexpr DType value = DType::kFloat;
};
template <>
struct DTypeOf<double> {
    static constexpr DType value = DType::kDouble;
};
template <>
struct DTypeOf<uint8_t> {
    static constexpr DType value = DType::kUint8;
};
template <>
struct DTypeOf<int8_t> {
    static constexpr DType value = DType::kInt8;
};
template <>
struct DTypeOf<uint16_t> {
    static constexpr DType value = DType::kUint16;
};
template <>
struct DTypeOf<int16_t> {
    static constexpr DType value = DType::kInt16;
};
template <>
struct DTypeOf<int32_t> {
    static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<int64_t> {
    static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<uint32_t> {
    static constexpr DType value = DType::kUint32;
};
template <>
struct DTypeOf<uint64_t> {
    static constexpr DType value = DType::kUint64;
};
template <>
struct DTypeOf<bool> {
    static constexpr DType value = DType::kBool;
};

// A tensor owns its elements, row-major. 4-bit types are packed two a byte and 2-bit types four,
// the low bits first, as in ONNX.
struct Tensor {
    DType type = DType::kUndefined;
    Shape shape;
    std::vector<uint8_t> bytes;

    Tensor() = default;
    // Zeros.
    Tensor(DType element_type, Shape dimensions);
    template <typename T>
    static Tensor of(Shape dimensions, std::span<const T> values) {
        Tensor tensor(DTypeOf<T>::value, std::move(dimensions));
        ADIABAT_CHECK(tensor.size() == static_cast<int64_t>(values.size()),
                      "{} values for shape {}", values.size(), to_string(tensor.shape));
        if (!values.empty()) std::memcpy(tensor.bytes.data(), values.data(), values.size_bytes());
        return tensor;
    }
    template <typename T>
    static Tensor of(Shape dimensions, const std::vector<T>& values) {
        return of(std::move(dimensions), std::span<const T>(values));
    }
    template <typename T>
    static Tensor scalar(T value) {
        return of<T>({}, std::span<const T>(&value, 1));
    }

    int64_t size() const { return elements(shape); }
    int64_t rank() const { return static_cast<int64_t>(shape.size()); }

    // The elements; T must be the element type.
    template <typename T>
    std::span<const T> as() const {
        ADIABAT_CHECK(type == DTypeOf<T>::value, "tensor of {} read as {}", name_of(type),
                      name_of(DTypeOf<T>::value));
        return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
    }
    template <typename T>
    std::span<T> as() {
        ADIABAT_CHECK(type == DTypeOf<T>::value, "tensor of {} read as {}", name_of(type),
                      name_of(DTypeOf<T>::value));
        return {reinterpret_cast<T*>(bytes.data()), bytes.size() / sizeof(T)};
    }

    // The elements converted: every numeric type to double (packed ones too), integer types to
    // int64_t.
    std::vector<double> to_doubles() const;
    std::vector<int64_t> to_ints() const;

    bool operator==(const Tensor&) const = default;
};

// Rows begin .. begin + count - 1 of the first dimension (images of a batch), of any type of whole
// bytes.
Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t count);

// Mean of every channel (axis 1) over images and positions, of a float tensor [N, C, ..].
std::vector<double> channel_means(const Tensor& tensor);
// Adds to channel c of a float tensor, [N, C, ..], shifts[c]; N and C are not 0.
void add_to_channels(Tensor& tensor, const std::vector<float>& shifts);

}  // namespace adiabat::net
