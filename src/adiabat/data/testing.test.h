// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: a folder of its own for a test, removed after it, and files written into it.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::data {

class TemporaryFolder {
  public:
    TemporaryFolder() {
        const auto* const test = testing::UnitTest::GetInstance()->current_test_info();
        path_ = std::filesystem::path(testing::TempDir()) /
                fmt::format("adiabat_{}_{}_{}", test->test_suite_name(), test->name(), getpid());
        std::filesystem::remove_all(path_);
        std::filesystem::create_directories(path_);
    }
    ~TemporaryFolder() { std::filesystem::remove_all(path_); }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

    std::filesystem::path write(const std::string& name, std::span<const uint8_t> bytes) const {
        std::ofstream(path_ / name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        return path_ / name;
    }

  private:
    std::filesystem::path path_;
};

// Bytes 0, 1, 2, .. (mod 251) times `step`.
inline std::vector<uint8_t> ramp(size_t bytes, size_t step = 1) {
    std::vector<uint8_t> out(bytes);
    for (size_t k = 0; k < bytes; ++k) out[k] = static_cast<uint8_t>(k * step % 251);
    return out;
}

// The line of the InputError that `body` throws; empty where it throws none.
template <typename Body>
std::string refusal(Body body) {
    try {
        body();
    } catch (const InputError& error) {
        return error.what();
    }
    return "";
}

// Expects an InputError whose line has `part` in it.
#define EXPECT_REFUSED(statement, part)                                  \
    EXPECT_NE(refusal([&] { statement; }).find(part), std::string::npos) \
        << "refused with: \"" << refusal([&] { statement; }) << "\""

}  // namespace adiabat::data
