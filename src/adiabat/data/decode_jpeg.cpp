// SPDX-License-Identifier: Apache-2.0
// libjpeg reports errors through a callback that must not return: it jumps back to the function
// that called libjpeg. Those functions (read_header, read_rows) hold nothing that has a destructor.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include "adiabat/base/errors.h"
#include "adiabat/data/decode.h"

namespace adiabat::data {

namespace {

struct Decoder {
    jpeg_decompress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg_source_mgr source{};
    jpeg_progress_mgr progress{};
    std::jmp_buf back{};
    char message[JMSG_LENGTH_MAX] = "";
};

[[noreturn]] void give_up(j_common_ptr common) {
    auto* decoder = static_cast<Decoder*>(common->client_data);
    // Our own callbacks leave their reason before.
    if (decoder->message[0] == '\0') common->err->format_message(common, decoder->message);
    std::longjmp(decoder->back, 1);
}

[[noreturn]] void give_up(j_common_ptr common, const char* reason) {
    auto* decoder = static_cast<Decoder*>(common->client_data);
    std::snprintf(decoder->message, sizeof decoder->message, "%s", reason);
    std::longjmp(decoder->back, 1);
}

// Warnings (extraneous bytes between markers and the like) are dropped, as PIL drops them.
void ignore_message(j_common_ptr, int) {}
void ignore_output(j_common_ptr) {}

void begin_source(j_decompress_ptr) {}
void end_source(j_decompress_ptr) {}
boolean refuse_more(j_decompress_ptr jpeg) {
    give_up(reinterpret_cast<j_common_ptr>(jpeg), "truncated");
}
void skip_bytes(j_decompress_ptr jpeg, long count) {
    if (count <= 0) return;
    const auto wanted = static_cast<size_t>(count);
    if (wanted > jpeg->src->bytes_in_buffer) refuse_more(jpeg);
    jpeg->src->next_input_byte += wanted;
    jpeg->src->bytes_in_buffer -= wanted;
}

void count_scans(j_common_ptr common) {
    if (reinterpret_cast<j_decompress_ptr>(common)->input_scan_number > kMostScans) {
        give_up(common, "has too many scans");
    }
}

// The color space and size are known when this returns true.
bool read_header(Decoder& decoder, const uint8_t* bytes, size_t count) {
    jpeg_decompress_struct& jpeg = decoder.jpeg;
    jpeg.err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = give_up;
    decoder.errors.emit_message = ignore_message;
    decoder.errors.output_message = ignore_output;
    jpeg.client_data = &decoder;
    if (setjmp(decoder.back) != 0) return false;  // NOLINT: libjpeg has no other way
    jpeg_create_decompress(&jpeg);
    decoder.source = {
        bytes, count, begin_source, refuse_more, skip_bytes, jpeg_resync_to_restart, end_source};
    jpeg.src = &decoder.source;
    decoder.progress.progress_monitor = count_scans;
    jpeg.progress = &decoder.progress;
    jpeg_read_header(&jpeg, TRUE);
    return true;
}

// RGB of inks that are stored inverted (255: none): K - K (1 - C), rounded, each channel.
void inks_to_rgb(const uint8_t* inks, size_t pixels, uint8_t* to) {
    for (size_t x = 0; x < pixels; ++x, inks += 4) {
        const int light = inks[3];
        for (int c = 0; c < 3; ++c) {
            const int product = (255 - inks[c]) * light + 128;
            *to++ = static_cast<uint8_t>(light - ((product >> 8) + product) / 256);
        }
    }
}

// Rows of RGB or gray to `to`; `inks` has room for one row of four channels where the file has
// four.
void copy_rows(jpeg_decompress_struct& jpeg, uint8_t* to, uint8_t* inks) {
    jpeg_start_decompress(&jpeg);
    const size_t width = jpeg.output_width;
    const auto channels = static_cast<size_t>(jpeg.output_components);
    while (jpeg.output_scanline < jpeg.output_height) {
        uint8_t* line = channels == 4 ? inks : to;
        jpeg_read_scanlines(&jpeg, &line, 1);
        if (channels == 4) inks_to_rgb(inks, width, to);
        to += width * (channels == 4 ? 3 : channels);
    }
    jpeg_finish_decompress(&jpeg);
}

bool read_rows(Decoder& decoder, uint8_t* to, uint8_t* inks) {
    if (setjmp(decoder.back) != 0) return false;  // NOLINT: libjpeg has no other way
    copy_rows(decoder.jpeg, to, inks);
    return true;
}

// A file whose header has been read.
class Jpeg {
  public:
    Jpeg(std::span<const uint8_t> bytes, std::string_view where) : where_(where) {
        if (!read_header(decoder_, bytes.data(), bytes.size())) {
            jpeg_destroy_decompress(&decoder_.jpeg);
            fail();
        }
    }
    ~Jpeg() { jpeg_destroy_decompress(&decoder_.jpeg); }
    Jpeg(const Jpeg&) = delete;
    Jpeg& operator=(const Jpeg&) = delete;

    RasterSize size() const { return {decoder_.jpeg.image_height, decoder_.jpeg.image_width}; }

    Raster read() {
        const int stored = decoder_.jpeg.num_components;
        if (stored != 1 && stored != 3 && stored != 4) {
            throw InputError("{}: JPEG of {} channels: expected 1, 3 or 4", where_, stored);
        }
        check_raster_size(size(), where_);
        Raster image(size(), stored == 1 ? 1 : 3);
        std::vector<uint8_t> inks(stored == 4 ? static_cast<size_t>(size().width) * 4 : 0);
        if (!read_rows(decoder_, image.samples.data(), inks.data())) fail();
        return image;
    }

  private:
    [[noreturn]] void fail() const {
        throw InputError("{}: broken JPEG: {}", where_, decoder_.message);
    }

    std::string_view where_;
    Decoder decoder_;
};

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
    return bytes.size() >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

RasterSize jpeg_size(std::span<const uint8_t> bytes, std::string_view where) {
    return Jpeg(bytes, where).size();
}

Raster decode_jpeg(std::span<const uint8_t> bytes, std::string_view where) {
    return Jpeg(bytes, where).read();
}

}  // namespace adiabat::data
