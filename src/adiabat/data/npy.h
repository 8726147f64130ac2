// SPDX-License-Identifier: Apache-2.0
#pragma once

// NumPy's .npy: magic, version, a header that is a Python dictionary literal, then the elements.
//
// Versions 1 to 3, little-endian (or one byte), C order; bool, integers of 1 to 8 bytes, float16,
// float32, float64. Images are read where they stand: only the wanted rows.
//
// Source: NumPy Enhancement Proposal 1 (R. Kern, 2007) and `numpy.lib.format`.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/data/dataset.h"

namespace adiabat::data {

struct NpyHeader {
    net::DType type = net::DType::kUndefined;
    net::Shape shape;
    uint64_t data_offset = 0;  // bytes before the first element

    uint64_t data_bytes() const {
        return static_cast<uint64_t>(net::elements(shape)) *
               static_cast<uint64_t>(net::bits_of(type)) / 8;
    }
};

// The header at the beginning of `bytes`. `where` begins the line of the InputError that is thrown
// for anything but the above: no npy, Python objects, structured or big-endian types, Fortran
// order.
NpyHeader parse_npy_header(std::span<const uint8_t> bytes, std::string_view where);

// An array from the bytes of a whole file. Throws InputError, also where bytes are missing or left
// over.
net::Tensor parse_npy(std::span<const uint8_t> bytes, std::string_view where);
net::Tensor read_npy(const std::filesystem::path& path);

// Version 1.0, aligned to 64 bytes as numpy.save does. Throws InputError for a type that npy does
// not have, or where the file cannot be written.
std::vector<uint8_t> format_npy(const net::Tensor& array);
void write_npy(const std::filesystem::path& path, const net::Tensor& array);

// The labels that belong to images of that name: "images" becomes "labels", or a stem that is or
// begins or ends with "x" gets "y" ("x_train.npy" -> "y_train.npy"); nothing where there is no such
// file.
std::optional<std::filesystem::path> npy_labels_beside(const std::filesystem::path& images);

std::unique_ptr<Source> open_npy(const std::filesystem::path& images,
                                 const std::optional<std::filesystem::path>& labels,
                                 std::string name, Layout layout);

}  // namespace adiabat::data
