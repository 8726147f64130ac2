// SPDX-License-Identifier: Apache-2.0
#pragma once

// Resizing as PIL does it, to the bit: what networks trained with torchvision have seen. (Pillow 13
// begins with the columns where that is cheaper, and may then differ by one level; the others begin
// with the rows, as here.)
//
// Bilinear and bicubic are convolutions with the filter's support stretched by the ratio where the
// image shrinks ("antialias"): out[x] = sum_k w[k] in[k], w[k] = f((k - (x + 1/2) s + 1/2) / t),
// s = in / out, t = max(s, 1), normalized; f is the triangle, or the cubic with a = -1/2. First the
// rows, then the columns, each pass with weights of 22 fractional bits and rounded to 8 bits. A
// pass that changes no size is left out. Nearest takes in[floor((x + 1/2) s)]. O(in_h out_w t +
// out_h out_w t).
//
// Source: R. Keys, "Cubic convolution interpolation" (1981); the rounding is that of Pillow.

#include <string_view>

#include "adiabat/data/raster.h"

namespace adiabat::data {

enum class Interpolation { kNearest, kBilinear, kBicubic };
std::string_view name_of(Interpolation interpolation);
// "nearest", "bilinear", "bicubic". Throws InputError for other names.
Interpolation parse_interpolation(std::string_view name);

// Sizes are at least 1 and at most kMostPixels; so is that between the passes.
Raster resample(const Raster& image, RasterSize to, Interpolation interpolation);

}  // namespace adiabat::data
