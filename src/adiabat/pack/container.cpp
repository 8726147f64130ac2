// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pack/container.h"

#include <fmt/format.h>

#include <algorithm>

#include "adiabat/base/digest.h"
#include "adiabat/base/errors.h"
#include "adiabat/pack/squeeze.h"

namespace adiabat::pack {

namespace {

using Bytes = std::span<const uint8_t>;

// Where the numbers of the header are.
enum : size_t {
    kVersionAt = 8,
    kSectionsAt = 12,
    kContainerBytesAt = 16,
    kFileBytesAt = 24,
    kFileDigestAt = 32,
    kTableStoredAt = 64,
    kTableBytesAt = 68,
    kTableDigestAt = 72,
    kHeaderDigestAt = 80
};

// No table is longer than its file by more than this: names are cut, and what is small has no
// section of its own.
constexpr uint64_t kTableAllowance = 4096;

using Digest = std::array<uint8_t, kDigestBytes>;

Digest digest_of(Bytes bytes) {
    const auto whole = Sha256().update(bytes).raw();
    Digest digest;
    std::copy_n(whole.begin(), digest.size(), digest.begin());
    return digest;
}

template <typename T>
T number_at(Bytes bytes, size_t at) {
    T value = 0;
    for (size_t k = 0; k < sizeof(T); ++k) value |= static_cast<T>(T{bytes[at + k]} << (8 * k));
    return value;
}

template <typename T>
void put_number(std::vector<uint8_t>& bytes, size_t at, T value) {
    for (size_t k = 0; k < sizeof(T); ++k) bytes[at + k] = static_cast<uint8_t>(value >> (8 * k));
}

template <typename Source>
void put_bytes(std::vector<uint8_t>& bytes, size_t at, const Source& source) {
    std::copy(source.begin(), source.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
}

bool is_digest_at(Bytes container, size_t at, Bytes of) {
    const Digest digest = digest_of(of);
    return std::equal(digest.begin(), digest.end(),
                      container.begin() + static_cast<std::ptrdiff_t>(at));
}

constexpr const char* kDamaged = "the file is damaged; pack the network again";

// The numbers of a header whose digest is right.
struct Header {
    uint64_t sections, container_bytes, table_stored, table_bytes;
    Head head;

    explicit Header(Bytes bytes)
        : sections(number_at<uint32_t>(bytes, kSectionsAt)),
          container_bytes(number_at<uint64_t>(bytes, kContainerBytesAt)),
          table_stored(number_at<uint32_t>(bytes, kTableStoredAt)),
          table_bytes(number_at<uint32_t>(bytes, kTableBytesAt)) {
        head.file_bytes = number_at<uint64_t>(bytes, kFileBytesAt);
        std::copy_n(bytes.begin() + kFileDigestAt, head.file_digest.size(),
                    head.file_digest.begin());
    }

    uint64_t digests_at() const { return kHeaderBytes + table_stored; }
    uint64_t bodies_at() const { return digests_at() + sections * kDigestBytes; }
};

void check_magic(Bytes container, const std::string& where) {
    const size_t count = std::min(container.size(), kMagic.size());
    if (!std::equal(kMagic.begin(), kMagic.begin() + static_cast<std::ptrdiff_t>(count),
                    container.begin())) {
        throw InputError(
            "{}: is no container of adiabat, or its magic (bytes 0..7) is damaged: expected a file "
            "that adiabat pack wrote",
            where);
    }
    if (container.size() < kHeaderBytes) {
        throw InputError(
            "{}: is cut short: has {} bytes, the header (bytes 0..{}) alone has {}; {}", where,
            container.size(), kHeaderBytes - 1, kHeaderBytes, kDamaged);
    }
}

Header checked_header(Bytes container, const std::string& where, uint64_t most) {
    check_magic(container, where);
    if (!is_digest_at(container, kHeaderDigestAt, container.first(kHeaderDigestAt))) {
        throw InputError("{}: the header (bytes 0..{}) does not match its digest: {}", where,
                         kHeaderBytes - 1, kDamaged);
    }
    const auto version = number_at<uint32_t>(container, kVersionAt);
    if (version != kVersion) {
        throw InputError("{}: has version {} of the format, this adiabat reads version {}", where,
                         version, kVersion);
    }
    const Header header(container);
    if (container.size() != header.container_bytes) {
        throw InputError("{}: {}: has {} bytes, its header says {}; {}", where,
                         container.size() < header.container_bytes ? "is cut short"
                                                                   : "has something behind its end",
                         container.size(), header.container_bytes, kDamaged);
    }
    if (header.head.file_bytes > most) {
        throw InputError("{}: is of a file of {} bytes, expected at most {}", where,
                         header.head.file_bytes, most);
    }
    if (header.table_bytes > header.head.file_bytes + kTableAllowance) {
        throw InputError("{}: its table would have {} bytes, for a file of {}", where,
                         header.table_bytes, header.head.file_bytes);
    }
    if (header.bodies_at() > container.size()) {
        throw InputError("{}: its table and digests would take {} of its {} bytes", where,
                         header.bodies_at(), container.size());
    }
    return header;
}

Table checked_table(Bytes container, const Header& header, const std::string& where) {
    const Bytes both = container.subspan(kHeaderBytes, header.bodies_at() - kHeaderBytes);
    if (!is_digest_at(container, kTableDigestAt, both)) {
        throw InputError("{}: the table (bytes {}..{}) does not match its digest: {}", where,
                         kHeaderBytes, header.bodies_at() - 1, kDamaged);
    }
    const Bytes stored = both.first(header.table_stored);
    if (header.table_stored == header.table_bytes) {
        return parse_table(stored, header.sections, header.head, where);
    }
    const auto bytes = unsqueeze(stored, header.table_bytes, where + ": its table", {});
    return parse_table(bytes, header.sections, header.head, where);
}

}  // namespace

std::vector<uint8_t> seal(const Head& head, Bytes table_bytes, const Table& table, Bytes bodies) {
    const std::vector<uint8_t> squeezed = squeeze(table_bytes, Effort::kThorough, {});
    const Bytes stored = squeezed.size() < table_bytes.size() ? Bytes(squeezed) : table_bytes;
    const size_t digests_at = kHeaderBytes + stored.size();
    const size_t bodies_at = digests_at + table.sections.size() * kDigestBytes;
    std::vector<uint8_t> container(bodies_at + bodies.size());
    put_bytes(container, kHeaderBytes, stored);
    put_bytes(container, bodies_at, bodies);
    size_t at = digests_at;
    for (const Section& section : table.sections) {
        put_bytes(container, at, digest_of(bodies.first(section.stored_bytes())));
        bodies = bodies.subspan(section.stored_bytes());
        at += kDigestBytes;
    }
    ADIABAT_CHECK(bodies.empty(), "{} bytes of no section", bodies.size());
    put_bytes(container, 0, kMagic);
    put_number(container, kVersionAt, kVersion);
    put_number(container, kSectionsAt, static_cast<uint32_t>(table.sections.size()));
    put_number(container, kContainerBytesAt, uint64_t{container.size()});
    put_number(container, kFileBytesAt, head.file_bytes);
    put_bytes(container, kFileDigestAt, head.file_digest);
    put_number(container, kTableStoredAt, static_cast<uint32_t>(stored.size()));
    put_number(container, kTableBytesAt, static_cast<uint32_t>(table_bytes.size()));
    put_bytes(container, kTableDigestAt,
              digest_of(Bytes(container).subspan(kHeaderBytes, bodies_at - kHeaderBytes)));
    put_bytes(container, kHeaderDigestAt, digest_of(Bytes(container).first(kHeaderDigestAt)));
    return container;
}

Opened open(Bytes container, const std::string& where, uint64_t most) {
    const Header header = checked_header(container, where, most);
    Opened opened{.head = header.head, .table = checked_table(container, header, where)};
    uint64_t at = header.bodies_at();
    for (const Section& section : opened.table.sections) {
        opened.offsets.push_back(at);
        // Each is at most as long as the file; so the sum cannot pass 64 bits.
        at += section.stored_bytes();
    }
    if (at != container.size()) {
        throw InputError("{}: its sections would end at byte {}, it has {}", where, at,
                         container.size());
    }
    for (size_t s = 0; s < opened.offsets.size(); ++s) {
        const Bytes body =
            container.subspan(opened.offsets[s], opened.table.sections[s].stored_bytes());
        if (!is_digest_at(container, header.digests_at() + s * kDigestBytes, body)) {
            throw InputError("{}: {} does not match its digest: {}", where, place_of(opened, s),
                             kDamaged);
        }
    }
    return opened;
}

std::string place_of(const Opened& opened, size_t section) {
    const Section& found = opened.table.sections[section];
    const uint64_t begin = opened.offsets[section], count = found.stored_bytes();
    const std::string bytes =
        count == 0 ? "no bytes" : fmt::format("bytes {}..{}", begin, begin + count - 1);
    return fmt::format("section {} '{}' ({})", section, found.name, bytes);
}

}  // namespace adiabat::pack
