// SPDX-License-Identifier: Apache-2.0
#pragma once

// A matrix transposed in blocks that stay in the first-level cache: O(rows x columns), where a copy
// value by value misses the cache at each.

#include <algorithm>
#include <cstdint>

namespace adiabat::torch {

// to [columns, rows] = from [rows, columns] transposed, both row-major.
inline void transpose(const float* from, int64_t rows, int64_t columns, float* to) {
    constexpr int64_t kRows = 8, kColumns = 16;
    for (int64_t r = 0; r < rows; r += kRows) {
        const int64_t r_end = std::min(r + kRows, rows);
        for (int64_t c = 0; c < columns; c += kColumns) {
            const int64_t c_end = std::min(c + kColumns, columns);
            for (int64_t j = c; j < c_end; ++j) {
                for (int64_t i = r; i < r_end; ++i) to[j * rows + i] = from[i * columns + j];
            }
        }
    }
}

}  // namespace adiabat::torch
