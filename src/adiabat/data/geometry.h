// SPDX-License-Identifier: Apache-2.0
#pragma once

// Images of any size to the size that a network takes: resize, then crop the middle, as torchvision
// does both.
//
// `resize` to one number S makes the shorter side S and the longer floor(S * longer / shorter); to
// HxW, exactly that. `crop` takes the middle: its top is round((height - H) / 2), halves to even;
// where the image is smaller it is padded with black, the odd pixel below and on the right.
// O(pixels).

#include <optional>
#include <string>
#include <string_view>

#include "adiabat/base/json.h"
#include "adiabat/data/raster.h"
#include "adiabat/data/resample.h"

namespace adiabat::data {

// The width is 0 where only one number is given: the shorter side, or a square to crop.
struct SizeWish {
    int64_t height = 0, width = 0;
    bool operator==(const SizeWish&) const = default;
};

// "256" or "224x192" (height x width), each from 1 to 65535. Throws InputError that begins with
// `where`.
SizeWish parse_size(std::string_view text, std::string_view where);
// 256, [224, 192] or the same as text.
SizeWish size_from_json(const Json& json, std::string_view where);
Json to_json(const SizeWish& size);

struct Geometry {
    std::optional<SizeWish> resize, crop;
    Interpolation interpolation = Interpolation::kBilinear;

    bool empty() const { return !resize && !crop; }
    // The size of what comes out, whatever comes in, where that is known.
    std::optional<RasterSize> fixed_size() const;
    // The size of what comes out. Throws InputError where the resized image has more than
    // kMostPixels.
    RasterSize size_after(RasterSize before, std::string_view where) const;
    bool operator==(const Geometry&) const = default;
};

// Throws InputError that begins with `where` as Geometry::size_after does.
Raster apply(const Geometry& geometry, Raster image, std::string_view where);

}  // namespace adiabat::data
