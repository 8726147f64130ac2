// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/tensor.h"

#include <limits>

#include "adiabat/net/number_formats.h"

namespace adiabat::net {

namespace {

struct TypeFacts {
    DType type;
    std::string_view name;
    int bits;
};

constexpr TypeFacts kTypes[] = {
    {DType::kFloat, "float", 32},
    {DType::kUint8, "uint8", 8},
    {DType::kInt8, "int8", 8},
    {DType::kUint16, "uint16", 16},
    {DType::kInt16, "int16", 16},
    {DType::kInt32, "int32", 32},
    {DType::kInt64, "int64", 64},
    {DType::kString, "string", 0},
    {DType::kBool, "bool", 8},
    {DType::kFloat16, "float16", 16},
    {DType::kDouble, "double", 64},
    {DType::kUint32, "uint32", 32},
    {DType::kUint64, "uint64", 64},
    {DType::kBfloat16, "bfloat16", 16},
    {DType::kUint4, "uint4", 4},
    {DType::kInt4, "int4", 4},
    {DType::kUint2, "uint2", 2},
    {DType::kInt2, "int2", 2},
    {DType::kFloat8E4M3FN, "float8e4m3fn", 8},
    {DType::kFloat8E4M3FNUZ, "float8e4m3fnuz", 8},
    {DType::kFloat8E5M2, "float8e5m2", 8},
    {DType::kFloat8E5M2FNUZ, "float8e5m2fnuz", 8},
    {DType::kFloat8E8M0, "float8e8m0", 8},
    {DType::kFloat4E2M1, "float4e2m1", 4},
};

template <typename T, typename Out>
std::vector<Out> converted(const Tensor& tensor) {
    std::vector<Out> out(tensor.bytes.size() / sizeof(T));
    for (size_t k = 0; k < out.size(); ++k) {
        T element;
        std::memcpy(&element, tensor.bytes.data() + k * sizeof(T), sizeof(T));
        out[k] = static_cast<Out>(element);
    }
    return out;
}

// The low bits of element k, whatever its width up to 16 bits.
uint32_t pattern_at(const Tensor& tensor, int bits, size_t k) {
    if (bits == 16) {
        uint16_t word;
        std::memcpy(&word, tensor.bytes.data() + 2 * k, 2);
        return word;
    }
    const auto each = static_cast<size_t>(8 / bits);
    return static_cast<uint32_t>(tensor.bytes[k / each] >> (k % each * static_cast<size_t>(bits))) &
           ((1u << bits) - 1);
}

template <typename Out>
std::vector<Out> unpacked(const Tensor& tensor) {
    const int bits = bits_of(tensor.type), sign = 1 << (bits - 1);
    const bool is_signed = tensor.type == DType::kInt4 || tensor.type == DType::kInt2;
    std::vector<Out> out(static_cast<size_t>(tensor.size()));
    for (size_t k = 0; k < out.size(); ++k) {
        const int code = static_cast<int>(pattern_at(tensor, bits, k));
        out[k] = static_cast<Out>(is_signed ? (code ^ sign) - sign : code);
    }
    return out;
}

// Numeric types shared by to_doubles and to_ints; `handled` is false for the rest.
template <typename Out>
std::vector<Out> convert_integers(const Tensor& tensor, bool& handled) {
    handled = true;
    switch (tensor.type) {
        case DType::kUint8:
        case DType::kBool:
            return converted<uint8_t, Out>(tensor);
        case DType::kInt8:
            return converted<int8_t, Out>(tensor);
        case DType::kUint16:
            return converted<uint16_t, Out>(tensor);
        case DType::kInt16:
            return converted<int16_t, Out>(tensor);
        case DType::kInt32:
            return converted<int32_t, Out>(tensor);
        case DType::kInt64:
            return converted<int64_t, Out>(tensor);
        case DType::kUint32:
            return converted<uint32_t, Out>(tensor);
        case DType::kUint64:
            return converted<uint64_t, Out>(tensor);
        case DType::kUint4:
        case DType::kInt4:
        case DType::kUint2:
        case DType::kInt2:
            return unpacked<Out>(tensor);
        default:
            handled = false;
            return {};
    }
}

}  // namespace

std::string_view name_of(DType type) {
    for (const auto& facts : kTypes) {
        if (facts.type == type) return facts.name;
    }
    return "undefined";
}

int bits_of(DType type) {
    for (const auto& facts : kTypes) {
        if (facts.type == type) return facts.bits;
    }
    return 0;
}

bool is_floating(DType type) {
    return type == DType::kFloat || type == DType::kDouble || is_small_float(type);
}

bool is_real(DType type) {
    return type == DType::kFloat || type == DType::kDouble || type == DType::kFloat16 ||
           type == DType::kBfloat16;
}

int64_t elements(const Shape& shape) {
    int64_t product = 1;
    for (int64_t dimension : shape) {
        if (dimension < 0 || __builtin_mul_overflow(product, dimension, &product)) {
            throw InputError("shape {}: its number of elements is unknown or does not fit 63 bits",
                             to_string(shape));
        }
    }
    return product;
}

std::string to_string(const Shape& shape) {
    std::string text = "[";
    for (size_t k = 0; k < shape.size(); ++k) {
        if (k > 0) text += ", ";
        text += shape[k] == kUnknown ? "?" : std::to_string(shape[k]);
    }
    return text + "]";
}

Tensor::Tensor(DType element_type, Shape dimensions)
    : type(element_type), shape(std::move(dimensions)) {
    const int bits = bits_of(type);
    ADIABAT_CHECK(bits > 0, "tensor of {}", name_of(type));
    const int64_t count = elements(shape);
    if (count > std::numeric_limits<int64_t>::max() / 64) {
        throw InputError("shape {}: {} elements do not fit in memory", to_string(shape), count);
    }
    bytes.resize(static_cast<size_t>((count * bits + 7) / 8));
}

std::vector<double> Tensor::to_doubles() const {
    bool handled = false;
    auto out = convert_integers<double>(*this, handled);
    if (handled) return out;
    switch (type) {
        case DType::kFloat:
            return converted<float, double>(*this);
        case DType::kDouble:
            return converted<double, double>(*this);
        default:
            break;
    }
    if (is_small_float(type)) {
        const int bits = bits_of(type);
        out.resize(static_cast<size_t>(size()));
        for (size_t k = 0; k < out.size(); ++k) {
            out[k] = decode_small_float(type, pattern_at(*this, bits, k));
        }
        return out;
    }
    throw InputError("a tensor of {} has no numbers", name_of(type));
}

std::vector<int64_t> Tensor::to_ints() const {
    bool handled = false;
    auto out = convert_integers<int64_t>(*this, handled);
    if (!handled) throw InputError("a tensor of {} where integers are needed", name_of(type));
    return out;
}

Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t count) {
    Shape shape = tensor.shape;
    const int64_t all = shape.at(0);
    ADIABAT_CHECK(begin >= 0 && count >= 0 && begin + count <= all, "rows {} .. {} of {}", begin,
                  begin + count, all);
    shape[0] = count;
    Tensor part(tensor.type, shape);
    const size_t row = all > 0 ? tensor.bytes.size() / static_cast<size_t>(all) : 0;
    if (!part.bytes.empty()) {
        std::memcpy(part.bytes.data(), tensor.bytes.data() + static_cast<size_t>(begin) * row,
                    part.bytes.size());
    }
    return part;
}

std::vector<double> channel_means(const Tensor& tensor) {
    const int64_t images = tensor.shape[0], channels = tensor.shape[1];
    const int64_t positions = images * channels > 0 ? tensor.size() / images / channels : 0;
    std::vector<double> means(static_cast<size_t>(channels), 0.0);
    const float* x = tensor.as<float>().data();
    for (int64_t n = 0; n < images; ++n) {
        for (size_t c = 0; c < means.size(); ++c, x += positions) {
            double sum = 0;
            for (int64_t p = 0; p < positions; ++p) sum += static_cast<double>(x[p]);
            means[c] += sum;
        }
    }
    for (double& mean : means) mean /= static_cast<double>(images * positions);
    return means;
}

void add_to_channels(Tensor& tensor, const std::vector<float>& shifts) {
    const int64_t images = tensor.shape[0];
    const int64_t positions = tensor.size() / images / static_cast<int64_t>(shifts.size());
    float* x = tensor.as<float>().data();
    for (int64_t n = 0; n < images; ++n) {
        for (float shift : shifts) {
            for (int64_t p = 0; p < positions; ++p) *x++ += shift;
        }
    }
}

}  // namespace adiabat::net
