// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the readers share: files of bytes, in parts and inflated.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/data/dataset.h"

namespace adiabat::data {

// Bytes of a file. Throws InputError where it is missing or no regular file.
int64_t file_bytes(const std::filesystem::path& path);

// The whole file, inflated where it is gzip (recognized by its first bytes). Throws InputError
// where it cannot be read or the compressed data are damaged or end early.
std::vector<uint8_t> read_inflated(const std::filesystem::path& path);

// Inflates a raw deflate stream (no zlib or gzip header) that must give `bytes` bytes; `where`
// begins the error's line.
std::vector<uint8_t> inflate_raw(std::span<const uint8_t> packed, uint64_t bytes,
                                 std::string_view where);

// Copies one image of h x w pixels with c channels, `pixel_bytes` each, from HWC to CHW.
void hwc_to_chw(const uint8_t* from, uint8_t* to, int64_t channels, int64_t pixels,
                int64_t pixel_bytes);

// A whole array of images in memory, with or without labels: what the formats that are read at once
// give. `images` is [N, H, W] (one channel), [N, C, H, W] or, by `layout`, [N, H, W, C].
class ArraySource : public Source {
  public:
    // Throws InputError where the array is empty or no array of images, or the labels are not as
    // many.
    ArraySource(std::string name, Split part, net::Tensor images,
                std::optional<std::vector<int32_t>> labels, Layout layout);

  protected:
    void read_rows(std::span<const int64_t> rows, uint8_t* pixels, int32_t* labels) const override;

  private:
    net::Tensor images_;
    std::vector<int32_t> labels_;
    bool channels_last_;
};

// A source's shape from that of an array of images: {N, C, H, W}. Throws InputError for another
// rank, a dimension of 0, or a type that holds no pixels.
net::Shape nchw_of(const net::Shape& shape, net::DType type, Layout layout, std::string_view where);

// Labels from an array of any integer type, shape [N] or [N, 1]. Throws InputError for another type
// or shape, and for a value that does not fit.
std::vector<int32_t> labels_of(const net::Tensor& array, std::string_view where);

// Throws InputError unless there are as many labels as images.
void check_count(int64_t labels, int64_t images, std::string_view where);

}  // namespace adiabat::data
