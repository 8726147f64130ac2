// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/raster.h"

#include <algorithm>
#include <cstring>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::data {

void check_raster_size(RasterSize size, std::string_view where) {
    if (size.height < 1 || size.width < 1) {
        throw InputError("{}: is {} x {} pixels (height x width): expected 1 or more", where,
                         size.height, size.width);
    }
    if (std::max(size.height, size.width) > kMostSide || size.height * size.width > kMostPixels) {
        throw InputError(
            "{}: is {} x {} pixels (height x width): expected at most {} on a side and {} in all",
            where, size.height, size.width, format_count(kMostSide), format_count(kMostPixels));
    }
}

Raster to_gray(Raster image) {
    if (image.channels == 1) return image;
    ADIABAT_CHECK(image.channels == 3, "{} channels", image.channels);
    Raster gray(image.size, 1);
    const uint8_t* from = image.samples.data();
    for (uint8_t& to : gray.samples) {
        const uint32_t sum = 19595u * from[0] + 38470u * from[1] + 7471u * from[2] + 0x8000u;
        to = static_cast<uint8_t>(sum >> 16);
        from += 3;
    }
    return gray;
}

void to_planes(const Raster& image, int64_t channels, uint8_t* planes) {
    const auto plane = static_cast<size_t>(image.size.height * image.size.width);
    if (image.channels == 1) {
        for (int64_t c = 0; c < channels; ++c, planes += plane) {
            std::memcpy(planes, image.samples.data(), plane);
        }
        return;
    }
    ADIABAT_CHECK(image.channels == 3 && channels == 3, "{} channels as {}", image.channels,
                  channels);
    const uint8_t* from = image.samples.data();
    for (size_t k = 0; k < plane; ++k, from += 3) {
        planes[k] = from[0];
        planes[plane + k] = from[1];
        planes[2 * plane + k] = from[2];
    }
}

}  // namespace adiabat::data
