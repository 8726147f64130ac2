// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/store.h"

#include <cstring>

#include "adiabat/base/atomic_file.h"
#include "adiabat/base/digest.h"

namespace adiabat {

namespace {

constexpr size_t kDigest = 64;  // hexadecimal digits before the piece

}  // namespace

Store::Store(std::filesystem::path folder) : folder_(std::move(folder)) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) {
        throw InputError("{}: cannot be made: {}: name a folder that can", folder_.string(),
                         error.message());
    }
    check_writable(folder_ / "probe");
}

std::optional<std::vector<uint8_t>> Store::get(const std::string& name) const {
    if (folder_.empty()) {
        const auto found = memory_.find(name);
        return found == memory_.end() ? std::nullopt : std::optional(found->second);
    }
    const std::filesystem::path path = folder_ / name;
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return std::nullopt;
    std::vector<uint8_t> bytes = read_file(path);
    if (bytes.size() < kDigest) return std::nullopt;
    const std::span<const uint8_t> content = std::span<const uint8_t>(bytes).subspan(kDigest);
    if (std::memcmp(sha256(content).data(), bytes.data(), kDigest) != 0) return std::nullopt;
    bytes.erase(bytes.begin(), bytes.begin() + kDigest);
    return bytes;
}

void Store::put(const std::string& name, std::vector<uint8_t> bytes) {
    if (folder_.empty()) {
        memory_[name] = std::move(bytes);
        return;
    }
    const std::string digest = sha256(bytes);
    bytes.insert(bytes.begin(), digest.begin(), digest.end());
    write_file_atomically(folder_ / name, bytes);
}

void ByteWriter::append(const void* from, size_t count) {
    if (count == 0) return;
    const size_t before = bytes_.size();
    bytes_.resize(before + count);
    std::memcpy(bytes_.data() + before, from, count);
}

void ByteReader::copy(void* to, size_t count) {
    ADIABAT_CHECK(count <= rest_.size(), "{} bytes where {} are left", count, rest_.size());
    if (count > 0) std::memcpy(to, rest_.data(), count);
    rest_ = rest_.subspan(count);
}

}  // namespace adiabat
