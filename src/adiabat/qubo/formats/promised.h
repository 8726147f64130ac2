// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the beginning of a file says of its problem's size, so that one that is too large is refused
// before the rest is read. Lenient: whatever is odd is left to the reader. O(bytes).

#include <cstdint>
#include <optional>

#include "adiabat/qubo/formats/formats.h"
#include "adiabat/qubo/formats/scan.h"

namespace adiabat::qubo::formats {

struct Promise {
    int64_t variables = 0, pairs = 0;
    bool dense = false;  // a dense form, whatever pairs there are
};

std::optional<Promise> promised(const Source& beginning, Format format);

}  // namespace adiabat::qubo::formats
