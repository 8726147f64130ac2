// SPDX-License-Identifier: Apache-2.0
#pragma once

// The range that 8-bit codes of an activation cover, from calibration values.
//
// Values x in [low, high] are rounded to 255 steps (error step^2 / 12 each), values outside are
// clipped (error (x - edge)^2 each); the edges minimize the sum over a histogram of the values. 0
// is always a code, since padding and ReLU need it exactly: low <= 0 <= high. O(values + bins x
// grid).
//
// Source: the squared-error search of TensorRT-style calibration, as in H. Wu et al., "Integer
// quantization for deep learning inference" (arXiv 2004.09602), section 5.

#include <cstdint>
#include <span>

namespace adiabat::recon {

struct Range {
    float low = 0, high = 0;
};

// How codes 0..255 stand for real numbers: x = scale (code - zero_point).
struct CodeMap {
    float scale = 1;
    uint8_t zero_point = 0;
};

// The smallest range that holds 0 and every value. No values: 0 to 0. Throws InternalError on NaN.
Range whole_range(std::span<const float> values);

// The range of least squared error, within whole_range.
Range best_range(std::span<const float> values);

// Scale > 0 and zero point of a range; a range without extent gets a scale of 1/255.
CodeMap code_map(Range range);

}  // namespace adiabat::recon
