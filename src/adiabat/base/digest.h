// SPDX-License-Identifier: Apache-2.0
#pragma once

// SHA-256, the name that caches and run records give to content: models, data, options.
//
// O(bytes), constant memory: files are read in pieces. The hash itself is libmd's.
//
// Source: FIPS 180-4 (2015).

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace adiabat {

// The digest of a sequence of pieces; the pieces' boundaries do not count.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    Sha256& update(std::span<const uint8_t> bytes);
    Sha256& update(std::string_view text);
    // The digest of what has been added so far; more may be added after.
    std::array<uint8_t, 32> raw() const;
    // The same as 64 lower-case hexadecimal digits.
    std::string hex() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

std::string sha256(std::span<const uint8_t> bytes);
std::string sha256(std::string_view text);
// Throws InputError where the file is missing or cannot be read.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace adiabat
