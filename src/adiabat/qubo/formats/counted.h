// SPDX-License-Identifier: Apache-2.0
#pragma once

// What rudy's graphs and Biq Mac's matrices share: comments after '#' first, a line "n m", then m
// lines "i j value" that count from 1.

#include <string>

#include "adiabat/qubo/formats/scan.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

// `diagonal`: whether i = j is allowed. Each pair once.
Pairs read_counted(const Source& source, bool diagonal);
// The comment with the offset, if it is not zero, and the line "n m".
std::string counted_header(int variables, size_t entries, double offset);

}  // namespace adiabat::qubo::formats
