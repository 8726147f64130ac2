// SPDX-License-Identifier: Apache-2.0
//
// Any bytes at all. Those that are a model are packed, and must come back as they were. Then the
// container of a small model, or of what was read, is edited at the places that the last bytes of
// the input say (header, table and sections alike) and sealed with right digests, so that what
// stands behind them is reached: it gives a file or InputError, in memory of proportion. Built with
// clang's libFuzzer (-D ADIABAT_BUILD_FUZZERS=ON); dev/fuzz.sh container runs it.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/pack/pack.h"

namespace {

using namespace adiabat;
using Bytes = std::span<const uint8_t>;

constexpr uint64_t kMost = uint64_t{16} << 20;  // bytes of a file
constexpr size_t kEditBytes = 3, kMostEdits = 16;

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// What packs must come back.
std::optional<pack::Packed> there_and_back(Bytes model) {
    try {
        pack::Packed packed = pack::pack(model, "bytes", {.threads = 1});
        const auto back = pack::unpack(packed.bytes, "container", {.threads = 1});
        require(std::equal(model.begin(), model.end(), back.bytes.begin(), back.bytes.end()),
                "the same bytes");
        return packed;
    } catch (const InputError&) {
        return std::nullopt;
    }
}

// graph {initializer {dims: 300, data_type: UINT8, name: "w", raw_data: 0 0 0 .. 1 1 1 ..}}
std::vector<uint8_t> small_model() {
    constexpr int kCount = 1100;
    std::vector<uint8_t> tensor = {0x08, 0xCC, 0x08, 0x10, 0x02, 0x42, 0x01, 'w', 0x4A, 0xCC, 0x08};
    for (int k = 0; k < kCount; ++k) tensor.push_back(static_cast<uint8_t>(k / 300));
    const auto size = static_cast<unsigned>(tensor.size());
    const auto low = [](unsigned n) { return static_cast<uint8_t>((n & 127) | 128); };
    std::vector<uint8_t> model = {0x3A, low(size + 3), static_cast<uint8_t>((size + 3) >> 7),
                                  0x2A, low(size),     static_cast<uint8_t>(size >> 7)};
    model.insert(model.end(), tensor.begin(), tensor.end());
    return model;
}

// Bytes of the table and of the sections set to others, three bytes an edit: where, and what.
void edit(const pack::Packed& packed, Bytes edits) {
    const pack::Opened opened = pack::open(packed.bytes, "container");
    std::vector<uint8_t> table = pack::serialize_table(opened.table);
    std::vector<uint8_t> bodies(
        packed.bytes.begin() + static_cast<std::ptrdiff_t>(opened.offsets[0]), packed.bytes.end());
    pack::Head head = opened.head;
    for (; edits.size() >= kEditBytes; edits = edits.subspan(kEditBytes)) {
        const size_t at = edits[0] + 256u * edits[1];
        if (at % 64 == 63) {
            head.file_bytes += edits[2];
        } else if (at % 2 == 0) {
            table[at / 2 % table.size()] = edits[2];
        } else if (!bodies.empty()) {
            bodies[at / 2 % bodies.size()] = edits[2];
        }
    }
    try {
        // Digests of what the table says, as far as it says anything.
        pack::Table sealed = opened.table;
        try {
            pack::Table read = pack::parse_table(table, sealed.sections.size(), head, "table");
            uint64_t sum = 0;
            for (const pack::Section& section : read.sections) sum += section.stored_bytes();
            if (sum == bodies.size()) sealed = std::move(read);
        } catch (const InputError&) {
            // refused below as well
        }
        const auto container = pack::seal(head, table, sealed, bodies);
        const auto file = pack::unpack(container, "container", {.threads = 1}, kMost);
        require(file.bytes.size() == head.file_bytes, "the file has its size");
    } catch (const InputError&) {
        return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const Bytes bytes(data, size);
    try {
        pack::unpack(bytes, "bytes", {.threads = 1}, kMost);
    } catch (const InputError&) {
        // the one way out
    }
    const auto own = there_and_back(bytes);
    static const pack::Packed small = *there_and_back(small_model());
    const size_t count = std::min(size, kEditBytes * kMostEdits);
    edit(own ? *own : small, bytes.last(count));
    return 0;
}
