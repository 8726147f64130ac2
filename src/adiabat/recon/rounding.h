// SPDX-License-Identifier: Apache-2.0
#pragma once

// Symmetric rounding of one filter to b bits: w ~ scale * code, code in -2^(b-1) .. 2^(b-1)-1.
//
// The scale minimizes the squared error |w - scale c|^2: a grid of clipping points finds the basin,
// then Lloyd's alternation (codes for the scale, least-squares scale <w,c>/<c,c> for the codes)
// settles in it. O(grid x weights). The whole range of the two's complement is used: at 2 bits,
// codes -2..1.
//
// Source: S. Lloyd, "Least squares quantization in PCM" (1957/1982); scale search as in R. Banner
// et al., "Post training 4-bit quantization of convolutional networks" (NeurIPS 2019).

#include <cstdint>
#include <span>

namespace adiabat::recon {

inline constexpr int kMinBits = 2;
inline constexpr int kMaxBits = 8;

constexpr int lowest_code(int bits) { return -(1 << (bits - 1)); }
constexpr int highest_code(int bits) { return (1 << (bits - 1)) - 1; }

// The scale, > 0, whose rounding has the least squared error found; 1 for a filter of zeros.
float best_scale(std::span<const float> filter, int bits);

// Nearest codes, halves to even, saturated. `codes` has the filter's length.
void round_to_codes(std::span<const float> filter, float scale, int bits, std::span<int8_t> codes);

// Sum of squares of filter - scale * code after round_to_codes.
double squared_rounding_error(std::span<const float> filter, float scale, int bits);

}  // namespace adiabat::recon
