// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/number_formats.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat::net {

namespace {

// Which patterns are no finite numbers.
enum class Specials {
    kIeee,          // exponent all ones: infinite, NaN
    kOneNan,        // all ones but the sign: NaN (float8e4m3fn)
    kNegativeZero,  // the sign alone: NaN; there is no negative zero (the fnuz kinds)
    kNone,          // float4e2m1
};

struct Format {
    DType type;
    int exponent_bits, fraction_bits, bias;
    double largest;
    Specials specials;
};

constexpr Format kFormats[] = {
    {DType::kFloat16, 5, 10, 15, 65504, Specials::kIeee},
    {DType::kBfloat16, 8, 7, 127, 0x1.FEp127, Specials::kIeee},
    {DType::kFloat8E4M3FN, 4, 3, 7, 448, Specials::kOneNan},
    {DType::kFloat8E4M3FNUZ, 4, 3, 8, 240, Specials::kNegativeZero},
    {DType::kFloat8E5M2, 5, 2, 15, 57344, Specials::kIeee},
    {DType::kFloat8E5M2FNUZ, 5, 2, 16, 57344, Specials::kNegativeZero},
    {DType::kFloat4E2M1, 2, 1, 1, 6, Specials::kNone},
};

const Format* format_of(DType type) {
    for (const Format& format : kFormats) {
        if (format.type == type) return &format;
    }
    return nullptr;
}

uint32_t sign_bit(const Format& f) { return 1u << (f.exponent_bits + f.fraction_bits); }

uint32_t nan_of(const Format& f, uint32_t sign) {
    switch (f.specials) {
        case Specials::kIeee:
            return sign | (sign_bit(f) - 1) >> f.fraction_bits << f.fraction_bits |
                   1u << (f.fraction_bits - 1);
        case Specials::kOneNan:
            return sign | (sign_bit(f) - 1);
        case Specials::kNegativeZero:
            return sign_bit(f);
        case Specials::kNone:
            break;
    }
    return sign_bit(f);  // float4 cannot say it: the negative zero stands for it
}

// A magnitude that the format holds exactly.
uint32_t pattern_of(const Format& f, double magnitude) {
    if (magnitude == 0) return 0;
    const int exponent = std::ilogb(magnitude);
    if (exponent < 1 - f.bias) {
        return static_cast<uint32_t>(std::ldexp(magnitude, f.bias - 1 + f.fraction_bits));
    }
    const auto scaled = static_cast<uint32_t>(std::ldexp(magnitude, f.fraction_bits - exponent));
    const auto biased = static_cast<uint32_t>(exponent + f.bias);
    return (biased << f.fraction_bits) + (scaled - (1u << f.fraction_bits));
}

uint32_t overflow_of(const Format& f, uint32_t sign, bool saturate) {
    const bool saturates = saturate && f.type != DType::kFloat16 && f.type != DType::kBfloat16;
    if (saturates || f.specials == Specials::kNone) return sign | pattern_of(f, f.largest);
    if (f.specials != Specials::kIeee) return nan_of(f, sign);
    return sign | (sign_bit(f) - 1) >> f.fraction_bits << f.fraction_bits;
}

// Powers of two, the exponent field of a float alone; the sign is dropped.
uint32_t encode_power(float value, bool saturate, PowerRounding rounding) {
    const auto bits = std::bit_cast<uint32_t>(value);
    const uint32_t exponent = bits >> 23 & 0xFF, fraction = bits & 0x7FFFFF;
    if (exponent == 0xFF) return 0xFF;
    bool up = rounding == PowerRounding::kUp && fraction != 0;
    if (rounding == PowerRounding::kNearest) {
        up = (fraction & 0x400000) != 0 && ((fraction & 0x3FFFFF) != 0 || exponent > 0);
    }
    return up && !(saturate && exponent == 0xFE) ? exponent + 1 : exponent;
}

}  // namespace

bool is_small_float(DType type) { return type == DType::kFloat8E8M0 || format_of(type) != nullptr; }

double decode_small_float(DType type, uint32_t pattern) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    if (type == DType::kFloat8E8M0) {
        return pattern == 0xFF ? kNan : std::ldexp(1.0, static_cast<int>(pattern) - 127);
    }
    const Format* f = format_of(type);
    ADIABAT_CHECK(f, "{} is no small floating format", name_of(type));
    const bool negative = (pattern & sign_bit(*f)) != 0;
    const uint32_t magnitude = pattern & (sign_bit(*f) - 1);
    const uint32_t exponent = magnitude >> f->fraction_bits;
    const uint32_t fraction = magnitude & ((1u << f->fraction_bits) - 1);
    const uint32_t last = (1u << f->exponent_bits) - 1;
    if (f->specials == Specials::kNegativeZero && negative && magnitude == 0) return kNan;
    if (f->specials == Specials::kOneNan && magnitude == sign_bit(*f) - 1) return kNan;
    double value = 0;
    if (f->specials == Specials::kIeee && exponent == last) {
        if (fraction != 0) return kNan;
        value = std::numeric_limits<double>::infinity();
    } else if (exponent == 0) {
        value = std::ldexp(static_cast<double>(fraction), 1 - f->bias - f->fraction_bits);
    } else {
        value = std::ldexp(static_cast<double>(fraction + (1u << f->fraction_bits)),
                           static_cast<int>(exponent) - f->bias - f->fraction_bits);
    }
    return negative ? -value : value;
}

uint32_t encode_small_float(DType type, double value, bool saturate, PowerRounding rounding) {
    if (type == DType::kFloat8E8M0) {
        return encode_power(static_cast<float>(value), saturate, rounding);
    }
    const Format* f = format_of(type);
    ADIABAT_CHECK(f, "{} is no small floating format", name_of(type));
    const uint32_t sign = std::signbit(value) ? sign_bit(*f) : 0;
    if (std::isnan(value)) return nan_of(*f, sign);
    const double magnitude = std::fabs(value);
    if (std::isinf(value)) return overflow_of(*f, sign, saturate);
    const int exponent = magnitude == 0 ? 1 - f->bias : std::ilogb(magnitude);
    const int unit = std::max(exponent, 1 - f->bias) - f->fraction_bits;
    const double rounded = std::ldexp(std::nearbyint(std::ldexp(magnitude, -unit)), unit);
    if (rounded > f->largest) return overflow_of(*f, sign, saturate);
    const uint32_t pattern = pattern_of(*f, rounded);
    if (pattern == 0 && f->specials == Specials::kNegativeZero) return 0;
    return sign | pattern;
}

}  // namespace adiabat::net
