// SPDX-License-Identifier: Apache-2.0
#pragma once

// The floating formats of 4, 8 and 16 bits that C++ has no types for, to and from double.
//
// A number is (-1)^sign 2^(exponent - bias) 1.fraction, subnormal where the exponent field is 0;
// the formats differ in the widths of their fields, their bias and in which patterns are infinite
// or no number. Conversion to them rounds to nearest, ties to even. O(1).
//
// Source: onnx/docs/docsgen/source/technical/float8.md, float4.md; IEEE 754; OCP 8-bit floating
// point specification.

#include <cstdint>

#include "adiabat/net/tensor.h"

namespace adiabat::net {

// float16, bfloat16, the float8 kinds, float4e2m1.
bool is_small_float(DType type);

// To which power of two float8e8m0 rounds: attribute round_mode of Cast.
enum class PowerRounding { kUp, kDown, kNearest };

// The number of a pattern, in the low bits.
double decode_small_float(DType type, uint32_t pattern);

// The pattern of a number. What is too large becomes the largest number where `saturate` holds
// (attribute of Cast; infinities as well), else infinite, or NaN in formats without infinities;
// float16 and bfloat16 never saturate. float8e8m0 holds powers of two alone, to which `rounding`
// rounds.
uint32_t encode_small_float(DType type, double value, bool saturate = true,
                            PowerRounding rounding = PowerRounding::kUp);

}  // namespace adiabat::net
