// SPDX-License-Identifier: Apache-2.0
#pragma once

// JPEG and PNG files to 8-bit RGB or gray, as PIL's Image.open(file).convert('RGB') gives them.
//
// What a file is, its first bytes say, not its name (ImageNet has a PNG that is called .JPEG).
// JPEG: gray, YCbCr, RGB, CMYK and YCCK (inverted, as Adobe writes them; RGB = (1 - K)(1 - C) ..),
// baseline and progressive, with libjpeg's slow integer transform and smooth upsampling, its
// defaults and PIL's. The orientation in EXIF is not applied: PIL does not either unless asked, and
// neither does torchvision's reader. PNG: all color types and depths, interlaced or not; alpha is
// dropped, not blended; of 16 bits the upper 8 count, but 16-bit gray without alpha is clipped at
// 255, as PIL has it.
//
// Broken, truncated and hostile files throw InputError: dimensions are checked against kMostPixels
// before memory is taken, a progressive JPEG may have kMostScans scans. Every byte up to the end
// mark (EOI, IEND) must be there. Nothing is printed. O(pixels); one pixel row of extra memory, and
// for progressive files the coefficients.
//
// Source: ITU-T T.81 (1992), ISO/IEC 15948 (2004); libjpeg-turbo and libpng do the work.

#include <span>
#include <string_view>

#include "adiabat/data/raster.h"

namespace adiabat::data {

// Scans beyond these are an attack: every one costs a pass over the whole image.
inline constexpr int kMostScans = 200;

// The size alone: reads the header.
RasterSize image_size(std::span<const uint8_t> bytes, std::string_view where);

// One channel where the file is gray, else three. `where` begins the error's line.
Raster decode_image(std::span<const uint8_t> bytes, std::string_view where);

// The two formats, for decode_image.
bool is_jpeg(std::span<const uint8_t> bytes);
RasterSize jpeg_size(std::span<const uint8_t> bytes, std::string_view where);
Raster decode_jpeg(std::span<const uint8_t> bytes, std::string_view where);
bool is_png(std::span<const uint8_t> bytes);
RasterSize png_size(std::span<const uint8_t> bytes, std::string_view where);
Raster decode_png(std::span<const uint8_t> bytes, std::string_view where);

}  // namespace adiabat::data
