// SPDX-License-Identifier: Apache-2.0
#pragma once

// One decoded image: 8-bit samples, rows from the top, channels interleaved, one (gray) or three
// (RGB).

#include <cstdint>
#include <string_view>
#include <vector>

namespace adiabat::data {

// An image, decoded or resized, has at most so many pixels, and on a side: a file of a hundred
// bytes can claim billions.
inline constexpr int64_t kMostPixels = 100'000'000;
inline constexpr int64_t kMostSide = 65535;

struct RasterSize {
    int64_t height = 0, width = 0;
    bool operator==(const RasterSize&) const = default;
};

struct Raster {
    RasterSize size;
    int64_t channels = 0;
    std::vector<uint8_t> samples;  // [height, width, channels]

    Raster() = default;
    Raster(RasterSize s, int64_t c)
        : size(s), channels(c), samples(static_cast<size_t>(s.height * s.width * c)) {}
    bool operator==(const Raster&) const = default;
};

// Throws InputError for a size with a zero or beyond the limits above. Call it before anything
// of that size is allocated.
void check_raster_size(RasterSize size, std::string_view where);

// The luminance of an RGB image as PIL's convert('L') computes it (ITU-R 601-2):
// (19595 R + 38470 G + 7471 B + 2^15) / 2^16, rounded down. A gray image stays as it is.
Raster to_gray(Raster image);

// Copies the image to `planes`, [channels, height, width]; a gray one fills three planes alike.
// Channels are those of the image, or 3.
void to_planes(const Raster& image, int64_t channels, uint8_t* planes);

}  // namespace adiabat::data
