// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/read_tensor.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <optional>

#include "adiabat/base/errors.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::onnx {

namespace {

using net::DType;
using net::Shape;
using net::Tensor;

static_assert(std::endian::native == std::endian::little, "ONNX keeps raw data little-endian");

// Bytes of a tensor of that type and shape, or nothing where they do not fit 63 bits.
std::optional<int64_t> bytes_of(DType type, const Shape& shape) {
    int64_t bits = net::bits_of(type);
    // A zero dimension makes every other one harmless.
    for (int64_t dimension : shape) {
        if (dimension == 0) return 0;
    }
    for (int64_t dimension : shape) {
        if (__builtin_mul_overflow(bits, dimension, &bits)) return std::nullopt;
    }
    return bits / 8 + (bits % 8 != 0);
}

// The elements of a typed field, each narrowed to the element type.
template <typename T, typename Field>
void narrow(const Field& field, Tensor& tensor) {
    const auto out = reinterpret_cast<T*>(tensor.bytes.data());
    for (int k = 0; k < field.size(); ++k) out[k] = static_cast<T>(field.Get(k));
}

// How many entries the typed field of that element type holds.
int64_t entries(const ::onnx::TensorProto& proto, DType type) {
    switch (type) {
        case DType::kFloat:
            return proto.float_data_size();
        case DType::kDouble:
            return proto.double_data_size();
        case DType::kInt64:
            return proto.int64_data_size();
        case DType::kUint32:
        case DType::kUint64:
            return proto.uint64_data_size();
        default:
            return proto.int32_data_size();
    }
}

// Bytes of the tensor that one entry of the typed field holds: 4-bit types come two an entry.
int64_t bytes_an_entry(DType type) { return std::max(1, net::bits_of(type) / 8); }

void fill_from_typed_field(const ::onnx::TensorProto& proto, Tensor& tensor) {
    switch (tensor.type) {
        case DType::kFloat:
            return narrow<float>(proto.float_data(), tensor);
        case DType::kDouble:
            return narrow<double>(proto.double_data(), tensor);
        case DType::kInt64:
            return narrow<int64_t>(proto.int64_data(), tensor);
        case DType::kUint64:
            return narrow<uint64_t>(proto.uint64_data(), tensor);
        case DType::kUint32:
            return narrow<uint32_t>(proto.uint64_data(), tensor);
        case DType::kInt32:
            return narrow<int32_t>(proto.int32_data(), tensor);
        default:
            break;
    }
    if (bytes_an_entry(tensor.type) == 2) return narrow<uint16_t>(proto.int32_data(), tensor);
    narrow<uint8_t>(proto.int32_data(), tensor);
}

enum class Flaw { kNone, kNan, kInfinite };

// Whether any of the patterns has all exponent bits set, told apart by the fraction.
template <typename Bits>
Flaw worst(const Tensor& tensor, Bits exponent, Bits fraction) {
    const auto words = reinterpret_cast<const Bits*>(tensor.bytes.data());
    const size_t count = tensor.bytes.size() / sizeof(Bits);
    bool special = false;
    for (size_t k = 0; k < count; ++k) special |= (words[k] & exponent) == exponent;
    if (!special) return Flaw::kNone;
    for (size_t k = 0; k < count; ++k) {
        if ((words[k] & exponent) == exponent && (words[k] & fraction) != 0) return Flaw::kNan;
    }
    return Flaw::kInfinite;
}

Flaw worst(const Tensor& tensor) {
    switch (tensor.type) {
        case DType::kFloat:
            return worst<uint32_t>(tensor, 0x7F800000u, 0x007FFFFFu);
        case DType::kDouble:
            return worst<uint64_t>(tensor, 0x7FF0000000000000u, 0x000FFFFFFFFFFFFFu);
        case DType::kFloat16:
            return worst<uint16_t>(tensor, 0x7C00, 0x03FF);
        case DType::kBfloat16:
            return worst<uint16_t>(tensor, 0x7F80, 0x007F);
        default:
            return Flaw::kNone;
    }
}

void check_finite(const Tensor& tensor, const std::string& what) {
    const Flaw flaw = worst(tensor);
    if (flaw == Flaw::kNan) {
        throw InputError("{} holds a NaN; weights must be finite numbers", what);
    }
    if (flaw == Flaw::kInfinite && tensor.size() > 1) {
        throw InputError("{} holds an infinite number; weights must be finite", what);
    }
}

void refuse_external_data(const ::onnx::TensorProto& proto, const std::string& what) {
    const bool external = proto.data_location() == ::onnx::TensorProto::EXTERNAL;
    if (!external && proto.external_data_size() == 0) return;
    std::string location = "?";
    for (const auto& entry : proto.external_data()) {
        if (entry.key() == "location") location = entry.value();
    }
    throw InputError(
        "{} keeps its data in another file ('{}'), which is not supported yet: save the model with "
        "its weights inside",
        what, location);
}

}  // namespace

Tensor to_tensor(const ::onnx::TensorProto& proto, const std::string& what) {
    refuse_external_data(proto, what);
    Tensor tensor;
    tensor.type = static_cast<DType>(proto.data_type());
    tensor.shape.assign(proto.dims().begin(), proto.dims().end());
    if (net::bits_of(tensor.type) == 0) {
        throw InputError(
            "{} has element type {} of ONNX, which holds no weights: convert it to float", what,
            proto.data_type());
    }
    for (int64_t dimension : tensor.shape) {
        if (dimension < 0 || dimension > net::kMaxDimension) {
            throw InputError("{} has shape {}: a dimension must be 0 to 2^40", what,
                             net::to_string(tensor.shape));
        }
    }
    const auto needed = bytes_of(tensor.type, tensor.shape);
    const bool raw = proto.has_raw_data();
    const int64_t there = raw ? static_cast<int64_t>(proto.raw_data().size())
                              : entries(proto, tensor.type) * bytes_an_entry(tensor.type);
    if (!needed || there != *needed) {
        throw InputError("{} holds {} bytes where {} {} takes {}", what, there,
                         net::name_of(tensor.type), net::to_string(tensor.shape),
                         needed ? std::to_string(*needed) : "more than any file has");
    }
    if (raw) {
        tensor.bytes.assign(proto.raw_data().begin(), proto.raw_data().end());
    } else {
        tensor.bytes.resize(static_cast<size_t>(there));
        fill_from_typed_field(proto, tensor);
    }
    check_finite(tensor, what);
    return tensor;
}

}  // namespace adiabat::onnx
