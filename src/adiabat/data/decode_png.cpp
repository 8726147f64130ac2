// SPDX-License-Identifier: Apache-2.0
// libpng reports errors through a callback that must not return: it jumps back to the function that
// called libpng. Those functions (read_header, read_pixels) hold nothing that has a destructor.
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <png.h>

#include "adiabat/base/errors.h"
#include "adiabat/data/decode.h"

namespace adiabat::data {

namespace {

// No ancillary chunk of an image takes more, inflated or not; none of them is used.
constexpr png_alloc_size_t kMostChunkBytes = 8'000'000;

struct Decoder {
    png_structp png = nullptr;
    png_infop info = nullptr;
    const uint8_t* at = nullptr;
    size_t left = 0;
    char message[200] = "";
};

[[noreturn]] void give_up(png_structp png, png_const_charp reason) {
    auto* decoder = static_cast<Decoder*>(png_get_error_ptr(png));
    std::snprintf(decoder->message, sizeof decoder->message, "%s", reason);
    png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void copy_bytes(png_structp png, png_bytep to, size_t count) {
    auto* decoder = static_cast<Decoder*>(png_get_io_ptr(png));
    if (count > decoder->left) give_up(png, "truncated");
    std::memcpy(to, decoder->at, count);
    decoder->at += count;
    decoder->left -= count;
}

bool read_header(Decoder& decoder) {
    png_structp png = decoder.png;
    if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT: libpng has no other way
    png_set_read_fn(png, &decoder, copy_bytes);
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  // ours come later
    png_set_chunk_malloc_max(png, kMostChunkBytes);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, 0);
    png_read_info(png, decoder.info);
    return true;
}

// What libpng shall put out: 8 bits, gray or RGB; or 16-bit gray as it is.
bool prepare(Decoder& decoder, bool clipped) {
    png_structp png = decoder.png;
    if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT: libpng has no other way
    const png_byte color = png_get_color_type(png, decoder.info);
    if (color == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (color == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
    if (!clipped) png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, decoder.info);
    return true;
}

// All rows of all passes; rows already there are what a pass of an interlaced file adds to.
bool read_pixels(Decoder& decoder, uint8_t* to, int64_t height, size_t row_bytes) {
    png_structp png = decoder.png;
    if (setjmp(png_jmpbuf(png)) != 0) return false;  // NOLINT: libpng has no other way
    const int passes = png_get_interlace_type(png, decoder.info) == PNG_INTERLACE_NONE ? 1 : 7;
    for (int pass = 0; pass < passes; ++pass) {
        for (int64_t y = 0; y < height; ++y) {
            png_read_row(png, to + static_cast<size_t>(y) * row_bytes, nullptr);
        }
    }
    png_read_end(png, nullptr);
    return true;
}

// A file whose header has been read.
class Png {
  public:
    Png(std::span<const uint8_t> bytes, std::string_view where) : where_(where) {
        decoder_.at = bytes.data();
        decoder_.left = bytes.size();
        decoder_.png =
            png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder_, give_up, ignore_warning);
        ADIABAT_CHECK(decoder_.png != nullptr, "libpng does not start");
        decoder_.info = png_create_info_struct(decoder_.png);
        if (decoder_.info == nullptr || !read_header(decoder_)) {
            close();
            fail();
        }
    }
    ~Png() { close(); }
    Png(const Png&) = delete;
    Png& operator=(const Png&) = delete;

    RasterSize size() const {
        return {png_get_image_height(decoder_.png, decoder_.info),
                png_get_image_width(decoder_.png, decoder_.info)};
    }

    Raster read() {
        check_raster_size(size(), where_);
        const png_byte color = png_get_color_type(decoder_.png, decoder_.info);
        const bool clipped =
            color == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(decoder_.png, decoder_.info) == 16;
        const bool gray = color == PNG_COLOR_TYPE_GRAY || color == PNG_COLOR_TYPE_GRAY_ALPHA;
        if (!prepare(decoder_, clipped)) fail();
        Raster image(size(), gray ? 1 : 3);
        const size_t row_bytes = png_get_rowbytes(decoder_.png, decoder_.info);
        ADIABAT_CHECK(
            row_bytes == static_cast<size_t>(size().width * image.channels) * (clipped ? 2 : 1),
            "{} bytes a row", row_bytes);
        std::vector<uint8_t> wide(clipped ? row_bytes * static_cast<size_t>(size().height) : 0);
        uint8_t* const to = clipped ? wide.data() : image.samples.data();
        if (!read_pixels(decoder_, to, size().height, row_bytes)) fail();
        if (clipped) {
            for (size_t k = 0; k < image.samples.size(); ++k) {  // big-endian
                image.samples[k] = wide[2 * k] != 0 ? 255 : wide[2 * k + 1];
            }
        }
        return image;
    }

  private:
    void close() { png_destroy_read_struct(&decoder_.png, &decoder_.info, nullptr); }
    [[noreturn]] void fail() const {
        throw InputError("{}: broken PNG: {}", where_, decoder_.message);
    }

    std::string_view where_;
    Decoder decoder_;
};

}  // namespace

bool is_png(std::span<const uint8_t> bytes) {
    return bytes.size() >= 8 && png_sig_cmp(bytes.data(), 0, 8) == 0;
}

RasterSize png_size(std::span<const uint8_t> bytes, std::string_view where) {
    return Png(bytes, where).size();
}

Raster decode_png(std::span<const uint8_t> bytes, std::string_view where) {
    return Png(bytes, where).read();
}

}  // namespace adiabat::data
