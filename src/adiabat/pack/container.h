// SPDX-License-Identifier: Apache-2.0
#pragma once

// The bytes of a container around its sections: a header, a table, digests; every byte is under a
// digest, so that whatever is damaged is found and named before anything is decoded.
//
//   header    88 bytes: magic, version, sizes, SHA-256 of the ONNX file, digests
//   table     what each section is, and from which pieces of them the file is put together;
//             through zstd where that is smaller
//   digests   8 bytes a section
//   sections  one after another, as they are stored
//
// Numbers are little-endian, those of the table base-128 as in protobuf. A digest is the first 8
// bytes of a SHA-256: it finds damage, it does not say who wrote. O(bytes).
//
// doc/container.md has the bytes.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/pack/coding.h"

namespace adiabat::pack {

inline constexpr std::array<uint8_t, 8> kMagic = {0x89, 'A', 'D', 'B', '\r', '\n', 0x1A, '\n'};
inline constexpr uint32_t kVersion = 1;
inline constexpr size_t kHeaderBytes = 88, kDigestBytes = 8;
inline constexpr size_t kLongestName = 255;
// What protobuf, and so an ONNX file, can have.
inline constexpr uint64_t kMostFileBytes = uint64_t{1} << 31;

struct Section {
    std::string name;  // at most kLongestName bytes of a tensor's
    Layout layout;
    uint64_t stream_bytes = 0;              // what it decodes to
    std::vector<uint64_t> part_bytes = {};  // as stored, a number a part of the layout

    uint64_t stored_bytes() const;
};

// The next `bytes` of what a section decodes to, never past its end; one that is used up begins
// again.
struct Piece {
    uint64_t section = 0, bytes = 0;
};

struct Table {
    std::vector<Section> sections;
    std::vector<Piece> pieces;
};

struct Head {
    uint64_t file_bytes = 0;
    std::array<uint8_t, 32> file_digest = {};  // SHA-256
};

std::vector<uint8_t> serialize_table(const Table& table);

// Throws InputError that begins with `where` for bytes that are no table of so many sections and of
// such a file: then all sizes fit one another, and no part claims more than it could hold.
Table parse_table(std::span<const uint8_t> bytes, uint64_t sections, const Head& head,
                  const std::string& where);

// The container of sections that are stored in `bodies`, one after another. The table is given as
// bytes (serialize_table) and as what it says.
std::vector<uint8_t> seal(const Head& head, std::span<const uint8_t> table_bytes,
                          const Table& table, std::span<const uint8_t> bodies);

struct Opened {
    Head head;
    Table table;
    std::vector<uint64_t> offsets = {};  // of the sections in the container
};

// Throws InputError that begins with `where` and says which part of the container is damaged, or
// why it is none: any other byte, more bytes, or fewer, anywhere. `most`: bytes of the file.
Opened open(std::span<const uint8_t> container, const std::string& where,
            uint64_t most = kMostFileBytes);

// "section 3 'conv1.weight' (bytes 1024..2047)".
std::string place_of(const Opened& opened, size_t section);

}  // namespace adiabat::pack
