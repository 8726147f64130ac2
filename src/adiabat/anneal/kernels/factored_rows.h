// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sweeps of one replica of a factored problem in its squares' values z_k = b_k + a_k.x.
//
// With rows scaled to a_ik sqrt(2 |w_k|) and z_k to z_k sgn(w_k) sqrt(2 |w_k|), flipping x_i
// changes the energy by dE = s_i (base_i + a_i.z) + q_i, s_i = 1 - 2 x_i, base_i = h_i and the
// field of the block, q_i = sum_k w_k a_ik^2. The products a_i.z of eight variables are computed
// together; where one of them flips, those behind it get s_i g_ij, g_ij = sum_k sgn(w_k) a_ik a_jk,
// known beforehand, and z gets all flips of the eight at once. So no product is ever thrown away,
// hot or cold. A proposal costs O(rank), a flip O(rank + block).
//
// Rows and products are float; a product is summed in sixteen virtual lanes, element k in lane
// k mod 16, multiplication and addition rounded each, and the lanes by halves (v and v + 8, v + 4,
// v + 2, v + 1), so that every instruction set gives the same bits. z itself is double with a float
// copy: a flip adds to it what its row holds, and there is no drift.

#include <cstddef>
#include <cstdint>

namespace adiabat::anneal {

// Ranks are padded to a multiple of this with zeros.
inline constexpr size_t kVirtualLanes = 16;
// Variables whose products are computed together.
inline constexpr size_t kFactoredEight = 8;
// Variables of one call at most.
inline constexpr size_t kFactoredWindow = 64;
// Everything that is indexed by variables has so many of them: rows of zeros at the end.
inline constexpr size_t padded_variables(size_t n) {
    return (n + kFactoredEight - 1) / kFactoredEight * kFactoredEight;
}

// One replica.
struct FactoredReplica {
    float* signs;   // [padded n] 1 - 2 x_i
    float* base;    // [padded n]
    double* forms;  // [padded rank] z
    float* rounded_forms;
    double rest = 0;  // sum_i x_i base_i, each base as it was when x_i flipped
    int64_t flips = 0;
};

struct FactoredRows {
    const float* rows;     // [padded n][rank]
    const float* own;      // [padded n] q_i
    const float* cross;    // [padded n][8] g_ij of i and the j of its eight
    const float* weights;  // [rank] sgn(w_k)
    size_t rank;           // padded
    // M's row of a variable, its first variable and its size; null where there is none.
    struct BlockRow {
        const double* values = nullptr;
        size_t first = 0, size = 0;
    };
    const BlockRow* blocks;  // [n], or null
    double block_scale;      // what M is multiplied by: 2 / unit
};

struct FactoredSweep {
    const FactoredRows* rows;
    FactoredReplica* replica;
    float scale;  // 1 / (beta unit)
    uint64_t seed;
    uint32_t number, sweep;  // of the replica
    size_t begin, end;       // at most kFactoredWindow variables, begin a multiple of it
};

void sweep_factored(const FactoredSweep& task);
// Flips variable i.
void flip_factored(const FactoredRows& rows, FactoredReplica& replica, size_t i);

// a_i.z in the order above: the twin of what sweeps compute.
float product_naive(const float* row, const float* z, size_t rank);

}  // namespace adiabat::anneal
