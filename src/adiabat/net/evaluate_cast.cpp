// SPDX-License-Identifier: Apache-2.0
// Cast between numeric types, as ONNX Runtime does it on x86-64: integers keep their low bits,
// floats are truncated towards zero and what does not fit the conversion register becomes its
// lowest number (cvttss2si), of which the low bits are kept; to bool, everything but zero is true.
#include <bit>
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

// Round to nearest, ties to even.
uint16_t half_of(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const auto sign = static_cast<uint16_t>(bits >> 16 & 0x8000);
    const float magnitude = std::fabs(value);
    if (std::isnan(value)) return static_cast<uint16_t>(sign | 0x7E00);
    if (magnitude >= 65520.0f) return static_cast<uint16_t>(sign | 0x7C00);
    if (magnitude < 0x1p-14f) {
        // Subnormal: units of 2^-24, which nearbyint rounds.
        return static_cast<uint16_t>(sign |
                                     static_cast<uint16_t>(std::nearbyint(magnitude * 0x1p24f)));
    }
    const uint32_t word = std::bit_cast<uint32_t>(magnitude) - (uint32_t{112} << 23);
    return static_cast<uint16_t>(sign | (word + 0xFFF + (word >> 13 & 1)) >> 13);
}

uint16_t bfloat16_of(float value) {
    const auto bits = std::bit_cast<uint32_t>(value);
    if (std::isnan(value)) return static_cast<uint16_t>(bits >> 16 | 0x40);
    return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// The elements of `from` as numbers of C++: 4-bit ones sign-extended to bytes, halves as doubles,
// bools as bytes.
Tensor plain(const Tensor& from) {
    switch (from.type) {
        case DType::kUint4:
            return widened(from);
        case DType::kInt4: {
            Tensor wide = widened(from);
            wide.type = DType::kInt8;
            for (uint8_t& byte : wide.bytes) byte = static_cast<uint8_t>((byte ^ 8) - 8);
            return wide;
        }
        case DType::kFloat16:
        case DType::kBfloat16:
            return Tensor::of<double>(from.shape, from.to_doubles());
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
void cast_to_other(const Tensor& from, Tensor& to) {
    const auto in = from.as<From>();
    switch (to.type) {
        case DType::kBool:
            for (size_t k = 0; k < in.size(); ++k) to.bytes[k] = in[k] != From{0};
            break;
        case DType::kFloat16:
        case DType::kBfloat16: {
            const auto out = reinterpret_cast<uint16_t*>(to.bytes.data());
            const bool half = to.type == DType::kFloat16;
            for (size_t k = 0; k < in.size(); ++k) {
                const auto value = static_cast<float>(in[k]);
                out[k] = half ? half_of(value) : bfloat16_of(value);
            }
            break;
        }
        default: {
            Tensor wide(DType::kUint8, from.shape);
            for (size_t k = 0; k < in.size(); ++k) {
                // To 4 bits, and only there, the runtime rounds (half away from zero).
                if constexpr (std::is_floating_point_v<From>) {
                    wide.bytes[k] = cast_number<uint8_t>(std::round(in[k]));
                } else {
                    wide.bytes[k] = cast_number<uint8_t>(in[k]);
                }
            }
            to = packed(wide, to.type);
        }
    }
}

}  // namespace

Results evaluate_cast(const EvaluateScope& scope) {
    Tensor to = scope.out();
    const Tensor& source = scope.in(0);
    std::vector<Tensor> results;
    if (source.type == to.type) {
        results.push_back(source);
        return results;
    }
    const Tensor from = plain(source);
    bool done = false;
    with_arithmetic_type(from.type, [&]<typename From>(From) {
        done =
            with_arithmetic_type(to.type, [&]<typename To>(To) { cast_all<From, To>(from, to); });
        if (!done) {
            cast_to_other<From>(from, to);
            done = true;
        }
    });
    if (!done) return std::nullopt;
    results.push_back(std::move(to));
    return results;
}

}  // namespace adiabat::net
