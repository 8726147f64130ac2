// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums of products of columns, the bulk of what moments cost: C += Z'Z for rows Z in single
// precision, one triangle, with the widest vectors of the processor at hand.
//
// Rows are packed a few hundred at a time into panels of two vectors' columns, which stay in the
// second-level cache; tiles of four columns by a panel are added up in registers. O(n^2 / 2) a row,
// O(columns) memory. Every sum runs over the rows in their order; where the processor multiplies
// and adds in one rounding the last bits differ from where it does not.
//
// Source of the scheme: K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
// multiplication" (ACM TOMS 34, 2008).

#include <cstdint>
#include <span>

namespace adiabat::recon {

// z is [rows, columns], sums [columns, columns], both row-major. Adds to sums[i, j] for j <= i;
// what lies above the diagonal is undefined afterwards.
void add_products(std::span<const float> z, int64_t columns, std::span<float> sums);

// The naive twin; adds to the other triangle as well.
void add_products_naive(std::span<const float> z, int64_t columns, std::span<float> sums);

}  // namespace adiabat::recon
