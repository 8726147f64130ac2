// SPDX-License-Identifier: Apache-2.0
#pragma once

// Bytes through zstd, the one user of that library.
//
// Of frames only their content is kept: no checksum, no size (the container has both). O(bytes); at
// level 19 some 4 MB/s of what can be made smaller.
//
// Source: RFC 8878 (2021), facebook.github.io/zstd.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/base/stop.h"

namespace adiabat::pack {

// zstd writes blocks of at most 128 KiB, each in four bytes or more.
inline constexpr uint64_t kMostExpansion = (uint64_t{128} << 10) / 4;

// Quick: level 1. Thorough: also level 19, and the smaller; not where level 1 finds nothing to gain
// in many bytes, as in mantissas.
enum class Effort { kQuick, kThorough };

// The same library gives the same bytes. Throws Interrupted.
std::vector<uint8_t> squeeze(std::span<const uint8_t> bytes, Effort effort, const StopToken& stop);

// What gave exactly `count` bytes. Memory grows with what is there, not with what is promised.
// Throws InputError that begins with `where` for anything else, and Interrupted.
std::vector<uint8_t> unsqueeze(std::span<const uint8_t> squeezed, uint64_t count,
                               const std::string& where, const StopToken& stop);

}  // namespace adiabat::pack
