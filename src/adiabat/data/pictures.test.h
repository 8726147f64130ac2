// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: pictures, and JPEG and PNG files of them in memory, written by libjpeg and libpng.

#include <cstddef>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>
#include <png.h>

#include "adiabat/data/raster.h"
#include "adiabat/data/testing.test.h"

namespace adiabat::data {

// Slopes of different steepness in each channel, and an edge.
inline Raster picture(int64_t height, int64_t width, int64_t channels, int64_t seed = 0) {
    Raster image({height, width}, channels);
    uint8_t* sample = image.samples.data();
    for (int64_t y = 0; y < height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
            for (int64_t c = 0; c < channels; ++c) {
                const int64_t slope = (3 + c) * x + (5 - c) * y + 17 * seed;
                *sample++ = static_cast<uint8_t>(x > width / 2 && y > height / 3 ? 20 + 60 * c
                                                                                 : slope % 256);
            }
        }
    }
    return image;
}

inline std::vector<uint8_t> jpeg_of(const Raster& image, bool progressive = false) {
    jpeg_compress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    unsigned char* bytes = nullptr;
    unsigned long count = 0;
    jpeg_mem_dest(&jpeg, &bytes, &count);
    jpeg.image_height = static_cast<JDIMENSION>(image.size.height);
    jpeg.image_width = static_cast<JDIMENSION>(image.size.width);
    jpeg.input_components = static_cast<int>(image.channels);
    jpeg.in_color_space = image.channels == 1   ? JCS_GRAYSCALE
                          : image.channels == 3 ? JCS_RGB
                                                : JCS_CMYK;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 98, TRUE);
    for (int c = 0; c < jpeg.num_components; ++c) {  // full resolution for all components
        jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
    }
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    std::vector<uint8_t> samples = image.samples;
    for (int64_t y = 0; y < image.size.height; ++y) {
        JSAMPROW row = samples.data() + y * image.size.width * image.channels;
        jpeg_write_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_compress(&jpeg);
    std::vector<uint8_t> file(bytes, bytes + count);
    jpeg_destroy_compress(&jpeg);
    std::free(bytes);
    return file;
}

// Samples of 8 bits: color type by the number of channels (gray, gray and alpha, RGB, RGBA).
inline std::vector<uint8_t> png_of(const Raster& image, bool interlaced = false) {
    std::vector<uint8_t> file;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
    png_infop info = png_create_info_struct(png);
    png_set_write_fn(
        png, &file,
        [](png_structp p, png_bytep bytes, size_t count) {
            auto* to = static_cast<std::vector<uint8_t>*>(png_get_io_ptr(p));
            to->insert(to->end(), bytes, bytes + count);
        },
        [](png_structp) {});
    constexpr int kColors[] = {PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                               PNG_COLOR_TYPE_RGB_ALPHA};
    png_set_IHDR(png, info, static_cast<png_uint_32>(image.size.width),
                 static_cast<png_uint_32>(image.size.height), 8, kColors[image.channels - 1],
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    std::vector<uint8_t> samples = image.samples;
    std::vector<png_bytep> rows;
    for (int64_t y = 0; y < image.size.height; ++y) {
        rows.push_back(samples.data() + y * image.size.width * image.channels);
    }
    png_set_rows(png, info, rows.data());
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, nullptr);
    png_destroy_write_struct(&png, &info);
    return file;
}

}  // namespace adiabat::data
