// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/geometry.h"

#include <algorithm>
#include <charconv>

#include "adiabat/base/errors.h"

namespace adiabat::data {

namespace {

RasterSize resized(const SizeWish& wish, RasterSize from) {
    if (wish.width != 0) return {wish.height, wish.width};
    const int64_t side = wish.height;
    if (from.width <= from.height) return {side * from.height / from.width, side};
    return {side, side * from.width / from.height};
}

RasterSize cropped(const SizeWish& wish) {
    return {wish.height, wish.width != 0 ? wish.width : wish.height};
}

// Where the crop begins: negative where the image is smaller and padding comes first.
int64_t begin_of(int64_t side, int64_t crop) {
    if (crop > side) return -((crop - side) / 2);
    const int64_t rest = side - crop, half = rest / 2;
    return half + (rest % 2 != 0 && half % 2 != 0 ? 1 : 0);  // halves to even
}

Raster crop_middle(const Raster& image, RasterSize to) {
    if (image.size == to) return image;
    Raster out(to, image.channels);  // black
    const int64_t top = begin_of(image.size.height, to.height);
    const int64_t left = begin_of(image.size.width, to.width);
    const int64_t first = std::max<int64_t>(0, -left);  // of the columns that are not padding
    const int64_t count = std::min(to.width, image.size.width);
    for (int64_t y = 0; y < to.height; ++y) {
        if (top + y < 0 || top + y >= image.size.height) continue;
        const int64_t from = (top + y) * image.size.width + left + first;
        std::copy_n(image.samples.data() + from * image.channels, count * image.channels,
                    out.samples.data() + (y * to.width + first) * image.channels);
    }
    return out;
}

int64_t parse_side(std::string_view text, std::string_view whole, std::string_view where) {
    int64_t side = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), side);
    if (error != std::errc() || end != text.data() + text.size() || side < 1 || side > kMostSide) {
        throw InputError("{}: \"{}\": expected a size such as 256, or height x width as 224x192",
                         where, whole);
    }
    return side;
}

}  // namespace

SizeWish parse_size(std::string_view text, std::string_view where) {
    const size_t by = text.find('x');
    SizeWish size{parse_side(text.substr(0, by), text, where), 0};
    if (by != std::string_view::npos) size.width = parse_side(text.substr(by + 1), text, where);
    return size;
}

SizeWish size_from_json(const Json& json, std::string_view where) {
    if (json.is_string()) return parse_size(json.get<std::string>(), where);
    if (json.is_array() && json.size() == 2 && json[0].is_number_integer() &&
        json[1].is_number_integer()) {
        return parse_size(json[0].dump() + "x" + json[1].dump(), where);
    }
    return parse_size(json.is_number_integer() ? json.dump() : "", where);
}

Json to_json(const SizeWish& size) {
    if (size.width == 0) return size.height;
    return Json::array({size.height, size.width});
}

std::optional<RasterSize> Geometry::fixed_size() const {
    if (crop) return cropped(*crop);
    if (resize && resize->width != 0) return RasterSize{resize->height, resize->width};
    return std::nullopt;
}

RasterSize Geometry::size_after(RasterSize before, std::string_view where) const {
    check_raster_size(before, where);
    RasterSize after = before;
    if (resize) {
        after = resized(*resize, before);
        check_raster_size(after, fmt::format("{}, resized", where));
        // Between the passes: the rows are resized first.
        check_raster_size({before.height, after.width}, fmt::format("{}, half resized", where));
    }
    if (crop) after = cropped(*crop);
    check_raster_size(after, where);
    return after;
}

Raster apply(const Geometry& geometry, Raster image, std::string_view where) {
    geometry.size_after(image.size, where);
    if (geometry.resize) {
        image = resample(image, resized(*geometry.resize, image.size), geometry.interpolation);
    }
    if (geometry.crop) image = crop_middle(image, cropped(*geometry.crop));
    return image;
}

}  // namespace adiabat::data
