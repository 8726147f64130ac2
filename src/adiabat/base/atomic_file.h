// SPDX-License-Identifier: Apache-2.0
#pragma once

// Files that are there whole or not at all: written under a temporary name beside the target,
// flushed to the disk, then renamed over it. A killed run leaves the old file or the new one, never
// half of one.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "adiabat/base/huge_pages.h"
#include "adiabat/base/stop.h"

namespace adiabat {

// Throws InputError where the folder does not exist or the file cannot be written; the target is
// untouched.
void write_file_atomically(const std::filesystem::path& path, std::span<const uint8_t> bytes);
void write_file_atomically(const std::filesystem::path& path, std::string_view text);

// Throws InputError, as writing would, before any work is done; leaves nothing behind.
void check_writable(const std::filesystem::path& path);

// The whole file. Throws InputError where it is missing, is a directory, or cannot be read.
std::vector<uint8_t> read_file(const std::filesystem::path& path);
// Likewise, a file of any size: throws Interrupted soon after `stop` was requested, and no more
// than `most` bytes from the beginning.
HugeVector<uint8_t> read_large_file(const std::filesystem::path& path, const StopToken& stop,
                                    uint64_t most = UINT64_MAX);

}  // namespace adiabat
