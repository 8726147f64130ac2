// SPDX-License-Identifier: Apache-2.0
//
// The table of a container: serialize_table and parse_table of container.h.
#include <algorithm>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/onnx/wire_fields.h"
#include "adiabat/pack/container.h"
#include "adiabat/pack/squeeze.h"

namespace adiabat::pack {

namespace {

constexpr uint64_t kLeastSectionBytes = 6, kLeastPieceBytes = 2;

void put(std::vector<uint8_t>& bytes, uint64_t number) {
    for (; number >= 0x80; number >>= 7) bytes.push_back(static_cast<uint8_t>(number | 0x80));
    bytes.push_back(static_cast<uint8_t>(number));
}

class Reader {
  public:
    Reader(std::span<const uint8_t> bytes, uint64_t file_bytes, const std::string& where)
        : rest_(bytes), file_bytes_(file_bytes), where_(where) {}

    uint64_t number() {
        const auto value = onnx::take_varint(rest_);
        if (!value) throw InputError("{}: its table ends inside a number", where_);
        return *value;
    }

    // How many there are of what takes `least` bytes each.
    uint64_t count(uint64_t least, const char* what) {
        const uint64_t found = number();
        check(found, least, what);
        return found;
    }

    void check(uint64_t count, uint64_t least, const char* what) const {
        if (count <= rest_.size() / least) return;
        throw InputError("{}: its table is to have {} {}, and {} bytes are left", where_, count,
                         what, rest_.size());
    }

    std::string text() {
        const auto size = static_cast<size_t>(count(1, "bytes of a name"));
        std::string found(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(size));
        rest_ = rest_.subspan(size);
        return found;
    }

    Section section(size_t index) {
        Section found;
        found.name = text();
        const uint64_t coding = number(), bits = number(), width = number();
        found.layout.least = number();
        found.stream_bytes = number();
        found.layout.coding = static_cast<Coding>(std::min<uint64_t>(coding, kCodings));
        found.layout.element_bits = static_cast<int>(std::min<uint64_t>(bits, 255));
        found.layout.width = static_cast<int>(std::min<uint64_t>(width, 255));
        if (!is_valid(found.layout)) {
            throw InputError("{}: section {}: there is no coding {} of {} of {} bits", where_,
                             index, coding, width, bits);
        }
        if (found.stream_bytes == 0 || found.stream_bytes > file_bytes_) {
            throw InputError("{}: section {}: gives {} bytes of a file of {}", where_, index,
                             found.stream_bytes, file_bytes_);
        }
        read_parts(found, index);
        return found;
    }

    bool at_end() const { return rest_.empty(); }

  private:
    void read_parts(Section& section, size_t index) {
        const uint64_t codes = codes_in(section.layout, section.stream_bytes);
        if (codes == 0) {
            throw InputError("{}: section {}: {} bytes are no whole number of elements", where_,
                             index, section.stream_bytes);
        }
        for (const int bits : part_bits(section.layout)) {
            const uint64_t bytes = number();
            section.part_bytes.push_back(bytes);
            const uint64_t packed = codes / (8 / static_cast<uint64_t>(bits));
            if (bytes > dense_bytes(codes, bits) || packed / kMostExpansion > bytes) {
                throw InputError("{}: section {}: {} codes of {} bits do not take {} bytes", where_,
                                 index, codes, bits, bytes);
            }
        }
    }

    std::span<const uint8_t> rest_;
    const uint64_t file_bytes_;
    const std::string& where_;
};

// Together the pieces are the file, and each section is used whole.
void check_pieces(const Table& table, const Head& head, const std::string& where) {
    std::vector<uint64_t> left;  // of each section, the bytes that are still to be used
    for (const Section& section : table.sections) left.push_back(section.stream_bytes);
    std::vector<bool> is_used(left.size(), false);
    uint64_t sum = 0;
    for (const Piece& piece : table.pieces) {
        if (piece.section >= left.size() || piece.bytes == 0 || piece.bytes > left[piece.section]) {
            throw InputError("{}: its table has a piece of {} bytes of section {}", where,
                             piece.bytes, piece.section);
        }
        uint64_t& rest = left[piece.section];
        rest -= piece.bytes;
        sum += piece.bytes;
        is_used[piece.section] = true;
        if (rest == 0) rest = table.sections[piece.section].stream_bytes;
    }
    for (size_t s = 0; s < left.size(); ++s) {
        if (!is_used[s] || left[s] != table.sections[s].stream_bytes) {
            throw InputError("{}: its table takes section {} in part, it is used whole", where, s);
        }
    }
    if (sum != head.file_bytes) {
        throw InputError("{}: its table gives {} bytes of a file of {}", where, sum,
                         head.file_bytes);
    }
}

}  // namespace

uint64_t Section::stored_bytes() const {
    return std::accumulate(part_bytes.begin(), part_bytes.end(), uint64_t{0});
}

std::vector<uint8_t> serialize_table(const Table& table) {
    std::vector<uint8_t> bytes;
    for (const Section& section : table.sections) {
        put(bytes, section.name.size());
        bytes.insert(bytes.end(), section.name.begin(), section.name.end());
        put(bytes, static_cast<uint64_t>(section.layout.coding));
        put(bytes, static_cast<uint64_t>(section.layout.element_bits));
        put(bytes, static_cast<uint64_t>(section.layout.width));
        put(bytes, section.layout.least);
        put(bytes, section.stream_bytes);
        for (const uint64_t part : section.part_bytes) put(bytes, part);
    }
    put(bytes, table.pieces.size());
    for (const Piece& piece : table.pieces) {
        put(bytes, piece.section);
        put(bytes, piece.bytes);
    }
    return bytes;
}

Table parse_table(std::span<const uint8_t> bytes, uint64_t sections, const Head& head,
                  const std::string& where) {
    Reader reader(bytes, head.file_bytes, where);
    reader.check(sections, kLeastSectionBytes, "sections");
    Table table;
    for (uint64_t s = 0; s < sections; ++s) table.sections.push_back(reader.section(s));
    const uint64_t pieces = reader.count(kLeastPieceBytes, "pieces");
    for (uint64_t k = 0; k < pieces; ++k) {
        const uint64_t section = reader.number();
        table.pieces.push_back({.section = section, .bytes = reader.number()});
    }
    if (!reader.at_end()) throw InputError("{}: its table has more than it should", where);
    check_pieces(table, head, where);
    return table;
}

}  // namespace adiabat::pack
