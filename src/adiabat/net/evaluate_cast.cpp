// SPDX-License-Identifier: Apache-2.0
// Cast between numeric types, as ONNX Runtime does it on x86-64: integers keep their low bits,
// floats are truncated towards zero and what does not fit the conversion register becomes its
// lowest number (cvttss2si), of which the low bits are kept; to bool, everything but zero is true.
#include "adiabat/net/cast.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "adiabat/net/evaluate_scope.h"

namespace adiabat::net {

namespace {

// Truncation into a register of type R.
template <typename R, typename T>
R truncated(T value) {
    constexpr T kEnd = static_cast<T>(uint64_t{1} << (sizeof(R) * 8 - 1));  // one past the largest
    return value >= -kEnd && value < kEnd ? static_cast<R>(value) : std::numeric_limits<R>::min();
}

template <typename To, typename From>
To cast_number(From value) {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
        if constexpr (std::is_same_v<To, uint64_t>) {
            constexpr From kHalf = static_cast<From>(uint64_t{1} << 63);
            if (value >= kHalf) {
                return static_cast<uint64_t>(truncated<int64_t>(value - kHalf)) ^ uint64_t { 1 }
                                                                                      << 63;
            }
        }
        constexpr bool kWide = sizeof(To) == 8 || std::is_same_v<To, uint32_t>;
        return static_cast<To>(truncated<std::conditional_t<kWide, int64_t, int32_t>>(value));
    } else {
        return static_cast<To>(value);
    }
}

// The elements of `from` as numbers of C++: packed ones sign-extended to bytes, small floats as
// floats, bools as bytes.
Tensor plain(const Tensor& from) {
    if (is_small_float(from.type)) {
        const auto values = from.to_doubles();
        return Tensor::of<float>(from.shape, std::vector<float>(values.begin(), values.end()));
    }
    switch (from.type) {
        case DType::kUint4:
        case DType::kUint2:
            return widened(from);
        case DType::kInt4:
        case DType::kInt2: {
            const int sign = 1 << (bits_of(from.type) - 1);
            Tensor wide = widened(from);
            wide.type = DType::kInt8;
            for (uint8_t& byte : wide.bytes) byte = static_cast<uint8_t>((byte ^ sign) - sign);
            return wide;
        }
        default: {
            Tensor same = from;
            if (same.type == DType::kBool) same.type = DType::kUint8;
            return same;
        }
    }
}

template <typename From, typename To>
void cast_all(const Tensor& from, Tensor& to) {
    const auto in = from.as<From>();
    To* const out = reinterpret_cast<To*>(to.bytes.data());
    for (size_t k = 0; k < in.size(); ++k) out[k] = cast_number<To>(in[k]);
}

template <typename From>
void cast_to_small_float(const Tensor& from, Tensor& to, const CastOptions& options) {
    const auto in = from.as<From>();
    const bool half = bits_of(to.type) == 16;
    Tensor wide(half ? DType::kUint16 : DType::kUint8, from.shape);
    for (size_t k = 0; k < in.size(); ++k) {
        const uint32_t pattern = encode_small_float(to.type, static_cast<double>(in[k]),
                                                    options.saturate, options.rounding);
        if (half) {
            wide.as<uint16_t>()[k] = static_cast<uint16_t>(pattern);
        } else {
            wide.bytes[k] = static_cast<uint8_t>(pattern);
        }
    }
    if (bits_of(to.type) < 8) {
        to = packed(wide, to.type);
    } else {
        to.bytes = std::move(wide.bytes);
    }
}

// To 4 and 2 bits, and only there, the runtime rounds (half away from zero).
template <typename From>
void cast_to_packed(const Tensor& from, Tensor& to) {
    const auto in = from.as<From>();
    Tensor wide(DType::kUint8, from.shape);
    for (size_t k = 0; k < in.size(); ++k) {
        if constexpr (std::is_floating_point_v<From>) {
            wide.bytes[k] = cast_number<uint8_t>(std::round(in[k]));
        } else {
            wide.bytes[k] = cast_number<uint8_t>(in[k]);
        }
    }
    to = packed(wide, to.type);
}

template <typename From>
void cast_to_other(const Tensor& from, Tensor& to, const CastOptions& options) {
    if (to.type == DType::kBool) {
        const auto in = from.as<From>();
        for (size_t k = 0; k < in.size(); ++k) to.bytes[k] = in[k] != From{0};
    } else if (is_small_float(to.type)) {
        cast_to_small_float<From>(from, to, options);
    } else {
        cast_to_packed<From>(from, to);
    }
}

}  // namespace

Tensor widened(const Tensor& tensor) {
    const int bits = bits_of(tensor.type);
    if (bits >= 8) return tensor;
    Tensor wide(DType::kUint8, tensor.shape);
    const auto each = static_cast<size_t>(8 / bits);
    for (size_t k = 0; k < wide.bytes.size(); ++k) {
        wide.bytes[k] = static_cast<uint8_t>(
            tensor.bytes[k / each] >> (k % each * static_cast<size_t>(bits)) & ((1 << bits) - 1));
    }
    return wide;
}

Tensor packed(const Tensor& wide, DType type) {
    const int bits = bits_of(type);
    Tensor tensor(type, wide.shape);
    const auto each = static_cast<size_t>(8 / bits);
    for (size_t k = 0; k < wide.bytes.size(); ++k) {
        const int code = wide.bytes[k] & ((1 << bits) - 1);
        tensor.bytes[k / each] = static_cast<uint8_t>(
            tensor.bytes[k / each] | code << (k % each * static_cast<size_t>(bits)));
    }
    return tensor;
}

CastOptions cast_options(const Node& node) {
    const std::string mode = node.string_or("round_mode", "up");
    CastOptions options;
    options.saturate = node.int_or("saturate", 1) != 0;
    options.rounding = mode == "down"      ? PowerRounding::kDown
                       : mode == "nearest" ? PowerRounding::kNearest
                                           : PowerRounding::kUp;
    return options;
}

Tensor cast_tensor(const Tensor& source, DType type, const CastOptions& options) {
    if (source.type == type) return source;
    if (bits_of(type) == 0)
        throw InputError("no cast from {} to {}", name_of(source.type), name_of(type));
    Tensor to(type, source.shape);
    const Tensor from = plain(source);
    const bool done = with_arithmetic_type(from.type, [&]<typename From>(From) {
        const bool plain_target =
            with_arithmetic_type(to.type, [&]<typename To>(To) { cast_all<From, To>(from, to); });
        if (!plain_target) cast_to_other<From>(from, to, options);
    });
    if (!done) throw InputError("no cast from {} to {}", name_of(source.type), name_of(type));
    return to;
}

Tensor as_type(Tensor tensor, DType type) {
    return tensor.type == type ? std::move(tensor) : cast_tensor(tensor, type);
}

Results evaluate_cast(const EvaluateScope& scope) {
    const DType type = scope.out().type;
    if (bits_of(scope.in(0).type) == 0 || bits_of(type) == 0) return std::nullopt;
    std::vector<Tensor> results;
    results.push_back(cast_tensor(scope.in(0), type, cast_options(scope.node)));
    return results;
}

}  // namespace adiabat::net
