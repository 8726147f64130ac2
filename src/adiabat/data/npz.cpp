// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/npz.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <span>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/errors.h"
#include "adiabat/data/files.h"
#include "adiabat/data/npy.h"

namespace adiabat::data {

namespace {

constexpr uint64_t kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50;
constexpr uint64_t kLocator64Signature = 0x07064b50;
constexpr uint64_t kEntrySignature = 0x02014b50, kLocalSignature = 0x04034b50;
constexpr uint64_t kEndBytes = 22, kLocator64Bytes = 20, kEntryBytes = 46, kLocalBytes = 30;
constexpr uint64_t kMaxComment = 65535;
constexpr uint16_t kStored = 0, kDeflated = 8, kEncrypted = 1, kZip64Extra = 1;
constexpr uint64_t kSee64 = 0xFFFFFFFF;  // the value stands in the zip64 extra field

// Names that images and labels go by, the first that is there.
using Names = std::array<std::string_view, 6>;
constexpr Names kWholeImages{"images", "x", "data", "X", "", ""};
constexpr Names kWholeLabels{"labels", "y", "Y", "targets", "", ""};
constexpr Names kTrainImages{"x_train", "X_train", "train_images", "images_train", "train_x", ""};
constexpr Names kTrainLabels{"y_train", "Y_train", "train_labels", "labels_train", "train_y", ""};
constexpr Names kTestImages{"x_test", "X_test", "test_images", "images_test", "test_x", ""};
constexpr Names kTestLabels{"y_test", "Y_test", "test_labels", "labels_test", "test_y", ""};

std::optional<std::string> find(const Npz& archive, const Names& names) {
    for (const auto name : names) {
        if (!name.empty() && archive.has(name)) return std::string(name);
    }
    return std::nullopt;
}

}  // namespace

Npz::Npz(const std::filesystem::path& path) : Npz(read_file(path), path.string()) {}

Npz::Npz(std::vector<uint8_t> bytes, std::string name)
    : path_(std::move(name)), bytes_(std::move(bytes)) {
    read_directory();
}

uint64_t Npz::little(uint64_t at, int width) const {
    const auto size = static_cast<uint64_t>(width);
    if (at > bytes_.size() || bytes_.size() - at < size) {
        throw InputError("{}: truncated, {} bytes found, its directory points to byte {}", path_,
                         bytes_.size(), at);
    }
    uint64_t value = 0;
    for (uint64_t k = size; k-- > 0;) value = value << 8 | bytes_[at + k];
    return value;
}

void Npz::read_directory() {
    if (bytes_.empty()) throw InputError("{}: is empty", path_);
    if (bytes_.size() < 4 || bytes_[0] != 'P' || bytes_[1] != 'K') {
        throw InputError("{}: is no npz archive: expected it to begin with PK", path_);
    }
    uint64_t end = bytes_.size() < kEndBytes ? 0 : bytes_.size() - kEndBytes;
    const uint64_t farthest = end > kMaxComment ? end - kMaxComment : 0;
    while (end > farthest && little(end, 4) != kEndSignature) --end;
    if (bytes_.size() < kEndBytes || little(end, 4) != kEndSignature) {
        throw InputError("{}: truncated, {} bytes found and no directory at their end", path_,
                         bytes_.size());
    }
    uint64_t entries = little(end + 10, 2), at = little(end + 16, 4);
    if (end >= kLocator64Bytes && little(end - kLocator64Bytes, 4) == kLocator64Signature) {
        const uint64_t end64 = little(end - kLocator64Bytes + 8, 8);
        if (little(end64, 4) == kEnd64Signature) {
            entries = little(end64 + 32, 8);
            at = little(end64 + 48, 8);
        }
    }
    for (uint64_t entry = 0; entry < entries; ++entry) {
        if (little(at, 4) != kEntrySignature) {
            throw InputError("{}: its directory is damaged at entry {}", path_, entry);
        }
        Member member;
        member.flags = static_cast<uint16_t>(little(at + 8, 2));
        member.method = static_cast<uint16_t>(little(at + 10, 2));
        member.crc = static_cast<uint32_t>(little(at + 16, 4));
        member.packed = little(at + 20, 4);
        member.plain = little(at + 24, 4);
        const uint64_t name_bytes = little(at + 28, 2), extra_bytes = little(at + 30, 2);
        member.offset = little(at + 42, 4);
        const uint64_t extra = at + kEntryBytes + name_bytes;
        if (extra_bytes > 0) little(extra + extra_bytes - 1, 1);
        for (uint64_t field = extra; field + 4 <= extra + extra_bytes;) {
            const uint64_t bytes = little(field + 2, 2);
            if (little(field, 2) == kZip64Extra) {
                uint64_t value = field + 4;
                for (uint64_t* const target : {&member.plain, &member.packed, &member.offset}) {
                    if (*target != kSee64) continue;
                    *target = little(value, 8);
                    value += 8;
                }
            }
            field += 4 + bytes;
        }
        if (name_bytes > 0) little(at + kEntryBytes + name_bytes - 1, 1);
        std::string name(bytes_.begin() + static_cast<int64_t>(at + kEntryBytes),
                         bytes_.begin() + static_cast<int64_t>(extra));
        if (name.ends_with(".npy")) {
            name.resize(name.size() - 4);
            members_[name] = member;
        }
        at = extra + extra_bytes + little(at + 32, 2);
    }
}

std::vector<std::string> Npz::names() const {
    std::vector<std::string> names;
    for (const auto& [name, member] : members_) names.push_back(name);
    return names;
}

net::Tensor Npz::read(std::string_view name) const {
    const std::string where = fmt::format("{}[{}]", path_, name);
    const auto found = members_.find(std::string(name));
    if (found == members_.end()) throw InputError("{}: no such array", where);
    const Member& member = found->second;
    if (member.flags & kEncrypted) throw InputError("{}: is encrypted", where);
    if (little(member.offset, 4) != kLocalSignature) {
        throw InputError("{}: its directory is damaged, there is no member at byte {}", path_,
                         member.offset);
    }
    const uint64_t begin =
        member.offset + kLocalBytes + little(member.offset + 26, 2) + little(member.offset + 28, 2);
    if (begin > bytes_.size() || bytes_.size() - begin < member.packed) {
        throw InputError("{}: truncated, {} bytes found, {} expected", where,
                         begin > bytes_.size() ? 0 : bytes_.size() - begin, member.packed);
    }
    const auto packed = std::span(bytes_).subspan(begin, member.packed);
    std::vector<uint8_t> plain;
    if (member.method == kDeflated) {
        plain = inflate_raw(packed, member.plain, where);
    } else if (member.method == kStored) {
        plain.assign(packed.begin(), packed.end());
    } else {
        throw InputError("{}: is packed with zip method {}: expected 0 (stored) or 8 (deflated)",
                         where, member.method);
    }
    const uint64_t crc = crc32_z(crc32_z(0, nullptr, 0), plain.data(), plain.size());
    if (crc != member.crc) {
        throw InputError("{}: is damaged, its CRC is {:08x}, expected {:08x}", where, crc,
                         member.crc);
    }
    return parse_npy(plain, where);
}

Split choose_part(Split wanted, Split preferred, bool has_train, bool has_test,
                  std::string_view where) {
    ADIABAT_CHECK(has_train || has_test, "{} has no part", where);
    if (wanted != Split::kAuto) {
        if (wanted == Split::kTrain ? has_train : has_test) return wanted;
        throw InputError("{}: has no {} part, only a {} part", where, name_of(wanted),
                         has_train ? "train" : "test");
    }
    if (has_train && has_test) return preferred == Split::kTest ? Split::kTest : Split::kTrain;
    return has_train ? Split::kTrain : Split::kTest;
}

std::unique_ptr<Source> open_npz(const std::filesystem::path& path, Split split, Split preferred,
                                 Layout layout) {
    const Npz archive(path);
    const auto train = find(archive, kTrainImages), test = find(archive, kTestImages);
    auto images = find(archive, kWholeImages);
    auto labels = find(archive, kWholeLabels);
    Split part = Split::kAuto;
    if (train || test) {
        part = choose_part(split, preferred, train.has_value(), test.has_value(), path.string());
        images = part == Split::kTrain ? train : test;
        labels = find(archive, part == Split::kTrain ? kTrainLabels : kTestLabels);
    }
    if (!images) {
        throw InputError(
            "{}: has no images: expected an array named images, x or data (or x_train, "
            "x_test), found {}",
            path.string(), fmt::join(archive.names(), ", "));
    }
    auto pixels = archive.read(*images);
    std::optional<std::vector<int32_t>> values;
    if (labels) {
        values = labels_of(archive.read(*labels), fmt::format("{}[{}]", path.string(), *labels));
    }
    return std::make_unique<ArraySource>(path.string(), part, std::move(pixels), std::move(values),
                                         layout);
}

}  // namespace adiabat::data
