// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/decode.h"

#include "adiabat/base/errors.h"

namespace adiabat::data {

namespace {

[[noreturn]] void refuse(std::span<const uint8_t> bytes, std::string_view where) {
    if (bytes.empty()) throw InputError("{}: is empty: expected a JPEG or PNG image", where);
    throw InputError("{}: is neither JPEG nor PNG", where);
}

}  // namespace

RasterSize image_size(std::span<const uint8_t> bytes, std::string_view where) {
    if (is_jpeg(bytes)) return jpeg_size(bytes, where);
    if (is_png(bytes)) return png_size(bytes, where);
    refuse(bytes, where);
}

Raster decode_image(std::span<const uint8_t> bytes, std::string_view where) {
    if (is_jpeg(bytes)) return decode_jpeg(bytes, where);
    if (is_png(bytes)) return decode_png(bytes, where);
    refuse(bytes, where);
}

}  // namespace adiabat::data
