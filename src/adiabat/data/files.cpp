// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/files.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::data {

namespace {

constexpr int kRawDeflate = -MAX_WBITS, kGzip = 16 + MAX_WBITS;
constexpr size_t kPieceBytes = 1 << 20;

class Inflater {
  public:
    explicit Inflater(int window) {
        ADIABAT_CHECK(inflateInit2(&stream, window) == Z_OK, "zlib does not start");
    }
    ~Inflater() { inflateEnd(&stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    z_stream stream{};
};

// Inflates until the stream's end; `most` bounds the output. Throws InputError where data are
// damaged.
std::vector<uint8_t> inflate_all(std::span<const uint8_t> packed, int window, uint64_t most,
                                 std::string_view where) {
    Inflater inflater(window);
    z_stream& stream = inflater.stream;
    std::vector<uint8_t> plain;
    size_t made = 0;
    int status = Z_OK;
    while (status != Z_STREAM_END) {
        if (stream.avail_in == 0 && !packed.empty()) {
            const size_t piece = std::min(packed.size(), kPieceBytes);
            stream.next_in = const_cast<Bytef*>(packed.data());  // zlib reads it only
            stream.avail_in = static_cast<uInt>(piece);
            packed = packed.subspan(piece);
        }
        if (made == plain.size()) plain.resize(std::max(2 * plain.size(), kPieceBytes));
        const size_t room = std::min<size_t>(plain.size() - made, kPieceBytes);
        stream.next_out = plain.data() + made;
        stream.avail_out = static_cast<uInt>(room);
        status = inflate(&stream, Z_NO_FLUSH);
        made += room - stream.avail_out;
        if (status == Z_BUF_ERROR ||
            (status == Z_OK && stream.avail_in == 0 && packed.empty() && stream.avail_out > 0)) {
            throw InputError("{}: truncated, the compressed data end after {} bytes inflated",
                             where, format_count(static_cast<int64_t>(made)));
        }
        if (status != Z_OK && status != Z_STREAM_END) {
            throw InputError("{}: compressed data are damaged ({})", where,
                             stream.msg ? stream.msg : "no reason given");
        }
        if (made > most) {
            throw InputError("{}: inflates to more than the {} bytes expected", where,
                             format_count(static_cast<int64_t>(most)));
        }
    }
    plain.resize(made);
    return plain;
}

bool holds_pixels(net::DType type) {
    switch (type) {
        case net::DType::kFloat:
        case net::DType::kDouble:
        case net::DType::kUint8:
        case net::DType::kInt8:
        case net::DType::kUint16:
        case net::DType::kInt16:
        case net::DType::kInt32:
        case net::DType::kInt64:
        case net::DType::kUint32:
            return true;
        default:
            return false;
    }
}

}  // namespace

int64_t file_bytes(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) throw InputError("{}: no such file", path.string());
    if (!std::filesystem::is_regular_file(path, error)) {
        throw InputError("{}: is no regular file", path.string());
    }
    const auto bytes = std::filesystem::file_size(path, error);
    if (error) throw InputError("{}: {}", path.string(), error.message());
    return static_cast<int64_t>(bytes);
}

std::vector<uint8_t> read_inflated(const std::filesystem::path& path) {
    auto bytes = read_file(path);
    if (bytes.size() < 2 || bytes[0] != 0x1f || bytes[1] != 0x8b) return bytes;
    return inflate_all(bytes, kGzip, std::numeric_limits<int64_t>::max(), path.string());
}

std::vector<uint8_t> inflate_raw(std::span<const uint8_t> packed, uint64_t bytes,
                                 std::string_view where) {
    auto plain = inflate_all(packed, kRawDeflate, bytes, where);
    if (plain.size() != bytes) {
        throw InputError("{}: inflates to {} bytes, expected {}", where, plain.size(), bytes);
    }
    return plain;
}

void hwc_to_chw(const uint8_t* from, uint8_t* to, int64_t channels, int64_t pixels,
                int64_t pixel_bytes) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
        for (int64_t c = 0; c < channels; ++c, from += pixel_bytes) {
            std::memcpy(to + (c * pixels + pixel) * pixel_bytes, from,
                        static_cast<size_t>(pixel_bytes));
        }
    }
}

net::Shape nchw_of(const net::Shape& shape, net::DType type, Layout layout,
                   std::string_view where) {
    if (!holds_pixels(type)) {
        throw InputError(
            "{}: holds {}: expected images of uint8, another integer type, float or double", where,
            net::name_of(type));
    }
    if (shape.size() != 3 && shape.size() != 4) {
        throw InputError(
            "{}: has shape {}: expected images, [N, H, W], [N, C, H, W] or [N, H, W, C]", where,
            net::to_string(shape));
    }
    if (std::ranges::find(shape, 0) != shape.end()) {
        throw InputError("{}: is empty, its shape is {}", where, net::to_string(shape));
    }
    if (shape.size() == 3) return {shape[0], 1, shape[1], shape[2]};
    if (layout == Layout::kNhwc) return {shape[0], shape[3], shape[1], shape[2]};
    return shape;
}

std::vector<int32_t> labels_of(const net::Tensor& array, std::string_view where) {
    const auto& shape = array.shape;
    if (shape.empty() || shape.size() > 2 || (shape.size() == 2 && shape[1] != 1)) {
        throw InputError("{}: has shape {}: expected labels, [N] or [N, 1]", where,
                         net::to_string(shape));
    }
    if (array.type == net::DType::kFloat || array.type == net::DType::kDouble ||
        !holds_pixels(array.type)) {
        throw InputError("{}: holds {}: expected labels of an integer type", where,
                         net::name_of(array.type));
    }
    const auto values = array.to_ints();
    std::vector<int32_t> labels(values.size());
    for (size_t k = 0; k < values.size(); ++k) {
        if (values[k] < 0 || values[k] > std::numeric_limits<int32_t>::max()) {
            throw InputError("{}: image {} has label {}: expected 0 or more", where, k, values[k]);
        }
        labels[k] = static_cast<int32_t>(values[k]);
    }
    return labels;
}

void check_count(int64_t labels, int64_t images, std::string_view where) {
    if (labels != images) {
        throw InputError("{}: has {} labels for {} images", where, format_count(labels),
                         format_count(images));
    }
}

ArraySource::ArraySource(std::string name, Split part, net::Tensor images,
                         std::optional<std::vector<int32_t>> labels, Layout layout)
    : images_(std::move(images)) {
    const auto nchw = nchw_of(images_.shape, images_.type, layout, name);
    name_ = std::move(name);
    part_ = part;
    size_ = nchw[0];
    shape_.assign(nchw.begin() + 1, nchw.end());
    type_ = images_.type;
    channels_last_ = images_.rank() == 4 && layout == Layout::kNhwc;
    has_labels_ = labels.has_value();
    if (labels) {
        check_count(static_cast<int64_t>(labels->size()), size_, name_);
        labels_ = std::move(*labels);
    }
}

void ArraySource::read_rows(std::span<const int64_t> rows, uint8_t* pixels, int32_t* labels) const {
    const int64_t bytes = image_bytes();
    for (const int64_t row : rows) {
        const uint8_t* const image = images_.bytes.data() + row * bytes;
        if (channels_last_) {
            hwc_to_chw(image, pixels, shape_[0], shape_[1] * shape_[2], net::bits_of(type_) / 8);
        } else {
            std::memcpy(pixels, image, static_cast<size_t>(bytes));
        }
        pixels += bytes;
        if (has_labels_) *labels++ = labels_[static_cast<size_t>(row)];
    }
}

}  // namespace adiabat::data
