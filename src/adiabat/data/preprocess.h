// SPDX-License-Identifier: Apache-2.0
#pragma once

// From stored pixels to what the network takes: x = (pixel * scale - mean[c]) / std[c], for every
// source alike.
//
// Size comes first (geometry.h; sources apply it as they read, to 8-bit pixels), then the order of
// the channels, then the formula: mean and std are in the order in which the network has them.
// Rounded to float32 after each of the three steps, so that uint8 pixels with scale 1/255 give bit
// for bit what NumPy's (x / 255 - mean) / std gives on float32 arrays: the product, computed in
// double, rounds to the quotient, because k/255 is never near enough to the middle of two floats.
// O(pixels); uint8 through a table.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/data/dataset.h"
#include "adiabat/data/geometry.h"

namespace adiabat::data {

struct Preprocess {
    // One a channel, or one for all; empty: 0 and 1. In units of scaled pixels.
    std::vector<double> mean, std;
    double scale = 1;
    // Order of the stored array, "NCHW" or "NHWC": for OpenOptions::layout. A Dataset is NCHW
    // already.
    std::string layout = "NCHW";
    // Order of the network's channels, "rgb" or "bgr"; images are stored as RGB.
    std::string channels = "rgb";
    Geometry geometry = {};  // for OpenOptions::geometry

    bool operator==(const Preprocess&) const = default;
};

// "0.485,0.456,0.406" and "1/255": finite numbers, or quotients of two, with commas. Throws
// InputError that begins with `where` (the option's name) for anything else.
std::vector<double> parse_values(std::string_view text, std::string_view where);

// Throws InputError for a number that is not finite, a std that is not above 0, a scale of 0, an
// unknown layout, or mean and std that differ in length where both have several values.
void check_preprocess(const Preprocess& preprocess, std::string_view where);

// {"mean": [..], "std": [..], "scale": 0.00392, "layout": "NCHW", "channels": "rgb", "resize": 256,
// "crop": [224, 224], "interpolation": "bilinear"}; each may be left out, mean and std may be one
// number. The last four are written where they are not as if left out. Throws InputError for
// unknown keys, wrong types, and as check_preprocess.
Preprocess preprocess_from_json(const Json& json, std::string_view where);
Preprocess read_preprocess(const std::filesystem::path& path);
Json to_json(const Preprocess& preprocess);

// Images `rows` of `data` (each 0 .. size() - 1), in this order, as float [rows, C, H, W]. Throws
// InputError where mean or std have another number of channels than the images, or the channels of
// images that do not have three are to be turned round; InternalError for a row out of range.
net::Tensor apply(const Preprocess& preprocess, const Dataset& data, std::span<const int64_t> rows);
// All rows.
net::Tensor apply(const Preprocess& preprocess, const Dataset& data);

}  // namespace adiabat::data
