// SPDX-License-Identifier: Apache-2.0
#include "adiabat/onnx/read_tensor.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>

#include "adiabat/base/errors.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::onnx {

namespace {

using net::DType;
using net::Shape;
using net::Tensor;

static_assert(std::endian::native == std::endian::little, "ONNX keeps raw data little-endian");

// Bytes of a tensor of that type and shape, or nothing where they do not fit 63 bits. Beside a zero
// dimension the others must fit too: whoever multiplies them meets the zero late.
std::optional<int64_t> bytes_of(DType type, const Shape& shape) {
    int64_t bits = net::bits_of(type);
    bool empty = false;
    for (int64_t dimension : shape) {
        empty |= dimension == 0;
        if (dimension != 0 && __builtin_mul_overflow(bits, dimension, &bits)) return std::nullopt;
    }
    return empty ? 0 : bits / 8 + (bits % 8 != 0);
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

// The shape and type, checked; `bytes` is how many the elements take.
struct Facts {
    Tensor empty;
    int64_t bytes = 0;
};

Facts facts_of(const ::onnx::TensorProto& proto, const std::string& what) {
    Facts facts;
    Tensor& tensor = facts.empty;
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
    const auto bytes = bytes_of(tensor.type, tensor.shape);
    if (!bytes) {
        throw InputError("{} has shape {}, which takes more than any file has", what,
                         net::to_string(tensor.shape));
    }
    facts.bytes = *bytes;
    return facts;
}

// Positions of the elements of a sparse tensor, [n] or [n, rank], in the dense one.
std::vector<int64_t> positions(const Tensor& indices, const Shape& dense, int64_t count,
                               const std::string& what) {
    const auto rank = static_cast<int64_t>(dense.size());
    const bool flat = indices.shape == Shape{count};
    if (indices.type != DType::kInt64 || (!flat && indices.shape != Shape{count, rank})) {
        throw InputError("{} has {} indices {} for {} elements: int64 [{}] or [{}, {}]", what,
                         net::name_of(indices.type), net::to_string(indices.shape), count, count,
                         count, rank);
    }
    const auto index = indices.as<int64_t>();
    const Shape axes = flat ? Shape{net::elements(dense)} : dense;
    std::vector<int64_t> found(static_cast<size_t>(count), 0);
    for (size_t k = 0; k < index.size(); ++k) {
        const int64_t dimension = axes[k % axes.size()];
        if (index[k] < 0 || index[k] >= dimension) {
            throw InputError("{} has index {} along a dimension of {}", what, index[k], dimension);
        }
        int64_t& position = found[k / axes.size()];
        position = position * dimension + index[k];
    }
    return found;
}

constexpr int64_t kLargestSparse = int64_t{16} << 20;
constexpr int64_t kLargestExpansion = 1000;

}  // namespace

bool holds_numbers(const ::onnx::TensorProto& proto) {
    return net::bits_of(static_cast<DType>(proto.data_type())) > 0;
}

Tensor to_tensor(::onnx::TensorProto& proto, const std::string& what, ExternalFiles& files) {
    auto [tensor, needed] = facts_of(proto, what);
    if (is_external(proto)) {
        tensor.bytes = files.read(proto, needed, what);
        check_finite(tensor, what);
        return std::move(tensor);
    }
    const bool raw = proto.has_raw_data();
    const int64_t there = raw ? static_cast<int64_t>(proto.raw_data().size())
                              : entries(proto, tensor.type) * bytes_an_entry(tensor.type);
    if (there != needed) {
        throw InputError("{} holds {} bytes where {} {} takes {}", what, there,
                         net::name_of(tensor.type), net::to_string(tensor.shape), needed);
    }
    if (raw) {
        tensor.bytes.assign(proto.raw_data().begin(), proto.raw_data().end());
        const std::unique_ptr<std::string> released(proto.release_raw_data());
    } else {
        tensor.bytes.resize(static_cast<size_t>(there));
        fill_from_typed_field(proto, tensor);
        ::onnx::TensorProto released;
        proto.Swap(&released);
        proto.set_name(released.name());
    }
    check_finite(tensor, what);
    return std::move(tensor);
}

Tensor to_dense(::onnx::SparseTensorProto& proto, const std::string& what, ExternalFiles& files) {
    const Tensor values = to_tensor(*proto.mutable_values(), what, files);
    const Tensor indices = to_tensor(*proto.mutable_indices(), what + ", indices", files);
    ::onnx::TensorProto shaped;
    shaped.set_data_type(static_cast<int>(values.type));
    *shaped.mutable_dims() = proto.dims();
    Facts facts = facts_of(shaped, what);
    const auto width = net::bits_of(values.type) / 8;
    if (values.rank() != 1 || width == 0 || proto.dims_size() == 0) {
        throw InputError("{} is sparse with values {} of {}: a vector of whole bytes", what,
                         net::to_string(values.shape), net::name_of(values.type));
    }
    const auto stored = static_cast<int64_t>(values.bytes.size() + indices.bytes.size());
    if (facts.bytes > kLargestSparse && facts.bytes / kLargestExpansion > stored) {
        throw InputError("{} is sparse: {} bytes would become {}", what, stored, facts.bytes);
    }
    const auto at = positions(indices, facts.empty.shape, values.size(), what);
    Tensor result(values.type, facts.empty.shape);
    for (size_t k = 0; k < at.size(); ++k) {
        std::copy_n(values.bytes.begin() + static_cast<std::ptrdiff_t>(k) * width, width,
                    result.bytes.begin() + at[k] * width);
    }
    return result;
}

void embed(::onnx::TensorProto& proto, const std::string& what, ExternalFiles& files) {
    if (!is_external(proto)) return;
    const auto bytes = files.read(proto, facts_of(proto, what).bytes, what);
    proto.clear_external_data();
    proto.clear_data_location();
    proto.set_raw_data(bytes.data(), bytes.size());
}

}  // namespace adiabat::onnx
