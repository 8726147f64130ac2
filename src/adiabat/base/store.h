// SPDX-License-Identifier: Apache-2.0
#pragma once

// Named pieces of finished work, kept in a folder so that a run that was killed goes on where it
// was: each piece is there whole or not at all (atomic_file.h) and says whether it is what was put
// there (SHA-256). A piece that is damaged counts as not there.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat {

class Store {
  public:
    // Pieces in memory alone.
    Store() = default;
    // In a folder, which is made. Throws InputError where it cannot be written to.
    explicit Store(std::filesystem::path folder);

    std::optional<std::vector<uint8_t>> get(const std::string& name) const;
    void put(const std::string& name, std::vector<uint8_t> bytes);
    // Empty where pieces are in memory.
    const std::filesystem::path& folder() const { return folder_; }

  private:
    std::filesystem::path folder_;
    std::map<std::string, std::vector<uint8_t>> memory_;
};

// Numbers one after another, as the machine has them.
class ByteWriter {
  public:
    template <typename T>
    void number(T value) {
        static_assert(std::is_trivially_copyable_v<T>);
        append(&value, sizeof value);
    }
    // Its length, then its entries.
    template <typename T>
    void list(std::span<const T> values) {
        number(static_cast<uint64_t>(values.size()));
        append(values.data(), values.size_bytes());
    }
    template <typename T>
    void list(const std::vector<T>& values) {
        list(std::span<const T>(values));
    }
    std::vector<uint8_t> take() { return std::move(bytes_); }

  private:
    void append(const void* from, size_t count);

    std::vector<uint8_t> bytes_;
};

// Throws InternalError where there is less than is asked for: pieces are whole.
class ByteReader {
  public:
    explicit ByteReader(std::span<const uint8_t> bytes) : rest_(bytes) {}

    template <typename T>
    T number() {
        T value;
        copy(&value, sizeof value);
        return value;
    }
    template <typename T>
    std::vector<T> list() {
        const auto count = number<uint64_t>();
        ADIABAT_CHECK(count <= rest_.size() / sizeof(T), "{} entries in {} bytes", count,
                      rest_.size());
        std::vector<T> values(count);
        copy(values.data(), count * sizeof(T));
        return values;
    }
    bool at_end() const { return rest_.empty(); }

  private:
    void copy(void* to, size_t count);

    std::span<const uint8_t> rest_;
};

}  // namespace adiabat
