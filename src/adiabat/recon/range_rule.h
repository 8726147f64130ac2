// SPDX-License-Identifier: Apache-2.0
#pragma once

// How the range of an activation's codes is chosen: four rules, of which the user picks one.
//
// minmax: the whole range. mse: the least squared error (range.h). percentile:P: all values but 100
// - P percent, half of these beyond either edge, or all beyond the only one where 0 is the other.
// entropy: of the ranges [low a, high b], a and b among kEntropyShares, the one whose codes tell
// least of the values' distribution: P are the counts of a histogram, those beyond an edge in its
// last bin; Q is what codes leave of it, the count within a code spread evenly over its bins that
// hold anything; the range minimizes
//
//   KL(P || Q) = sum over bins P ln(P / Q)
//
// Zeros, which every range codes exactly, are left out. Where both edges move they do so in turn,
// until neither gains. O(values), and for entropy O(bins x shares) besides.
//
// Source of percentiles and of the entropy: S. Migacz, "8-bit inference with TensorRT" (GTC 2017),
// and H. Wu et al., "Integer quantization for deep learning inference" (arXiv 2004.09602), section
// 5; there for symmetric codes, here for asymmetric ones.

#include <string>
#include <string_view>

#include "adiabat/recon/range.h"

namespace adiabat::recon {

enum class RangeMethod { kMinMax, kSquaredError, kPercentile, kEntropy };

struct RangeRule {
    RangeMethod method = RangeMethod::kSquaredError;
    double percentile = 99.99;  // of kPercentile

    bool operator==(const RangeRule&) const = default;
};

// "minmax", "mse", "percentile", "percentile:99.9" (more than 50, at most 100), "entropy". Throws
// InputError that begins with --ranges.
RangeRule parse_range_rule(std::string_view text);
std::string to_text(const RangeRule& rule);

inline constexpr int kEntropyShares = 61;  // 1, 63/64 .. 4/64 of an edge

// The range of the values by the rule, within whole_range. Never without extent where the values
// have one.
Range range_of(std::span<const float> values, const RangeRule& rule);

}  // namespace adiabat::recon
