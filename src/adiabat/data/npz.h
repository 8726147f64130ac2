// SPDX-License-Identifier: Apache-2.0
#pragma once

// NumPy's .npz: a zip archive with one .npy a member, stored or deflated, zip64 included.
//
// The archive is read into memory; members are inflated and checked against their CRC when asked
// for.
//
// Source: PKWARE, APPNOTE.TXT 6.3 (the central directory, methods 0 and 8).

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/data/dataset.h"

namespace adiabat::data {

class Npz {
  public:
    // Throws InputError where the file cannot be read, is no zip archive, or its directory is
    // damaged.
    explicit Npz(const std::filesystem::path& path);
    // The same of an archive in memory; `name` begins the lines of errors.
    Npz(std::vector<uint8_t> bytes, std::string name);

    // Names of the arrays, without ".npy", sorted.
    std::vector<std::string> names() const;
    bool has(std::string_view name) const { return members_.contains(std::string(name)); }
    // Throws InputError where there is no such array or the member is damaged, encrypted or packed
    // with another method.
    net::Tensor read(std::string_view name) const;

  private:
    struct Member {
        uint64_t offset = 0;  // of the local header
        uint64_t packed = 0, plain = 0;
        uint32_t crc = 0;
        uint16_t method = 0, flags = 0;
    };
    void read_directory();
    uint64_t little(uint64_t at, int width) const;

    std::string path_;
    std::vector<uint8_t> bytes_;
    std::map<std::string, Member> members_;
};

// The images and labels of an archive. Whole: images, x or data, with labels or y. In two parts:
// x_train, train_images or images_train with y_train, train_labels or labels_train, and the same
// for test; upper case X as well. `split` chooses as in OpenOptions. Throws InputError that lists
// the arrays there are where none is known by these names.
std::unique_ptr<Source> open_npz(const std::filesystem::path& path, Split split, Split preferred,
                                 Layout layout);

// Which part to read: the wanted one, or for kAuto the preferred one if there are two, else the one
// there is. Throws InputError where the wanted one is not there.
Split choose_part(Split wanted, Split preferred, bool has_train, bool has_test,
                  std::string_view where);

}  // namespace adiabat::data
