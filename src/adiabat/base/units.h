// SPDX-License-Identifier: Apache-2.0
#pragma once

// Quantities as people write and read them: "175KB" is 175,000 bytes, "171KiB" is 175,104.

#include <cstdint>
#include <string>
#include <string_view>

namespace adiabat {

// A number of bytes: a decimal number, then nothing, B, KB, MB, GB (powers of 1000), KiB, MiB or
// GiB (powers of 1024), in any case, with or without a space between. Rounded to whole bytes.
// Throws InputError that begins with `where` (the option, "--budget file") for anything else, below
// one byte included.
int64_t parse_bytes(std::string_view text, std::string_view where = "size");

// A count: a decimal number, then nothing, k, M or G (powers of 1000), in any case, with or without
// a space between. Rounded to a whole number. Throws InputError as parse_bytes does, below one
// included.
int64_t parse_count(std::string_view text, std::string_view where = "count");

// "999 B", "10.5 KB", "1.09 MB": three digits, powers of 1000.
std::string format_bytes(int64_t bytes);

// "268,336".
std::string format_count(int64_t count);

}  // namespace adiabat
