// SPDX-License-Identifier: Apache-2.0
#pragma once

// The sweep of one replica of a dense problem, a group of variables a call: rows of whole numbers,
// several neighboring variables checked at once against cached local fields.
//
// A group of 64 variables is looked at together. Its largest threshold is drawn first (draws.h);
// where d = (1 - 2 x) f of all of them is beyond it, which is what most groups are once it is cold,
// the group is done. Else the other thresholds are drawn, and the variables with d <= T flip one
// after another, in vectors of fields and signs that stay in registers; the fields outside are
// updated when the vectors are done, all flips in one pass, so that a field is loaded and stored
// once and not once a flip. The result is that of proposing the variables one by one in order
// (sweep_dense_group_naive), to the bit, on every instruction set. O(1) a proposal, O(n) a flip.
//
// Int is int32_t, or int16_t where the coefficients are small whole numbers: half the memory, twice
// the lanes.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace adiabat::anneal {

// Rows and fields are padded to a multiple of this many values, a group, and aligned to 64 bytes.
inline constexpr size_t kDensePadding = 64;

// Replicas that share tiles; more gain little.
inline constexpr size_t kDenseTogether = 8;

// No sum of a row's sizes is larger than kMost (it bounds every field); thresholds are clipped to
// it. Fields of padding variables are kNever: above every threshold.
template <typename Int>
inline constexpr Int kMostField = sizeof(Int) == 2 ? Int{1 << 14} : static_cast<Int>(1 << 29);
template <typename Int>
inline constexpr Int kNeverField = sizeof(Int) == 2 ? Int{32000} : static_cast<Int>(1 << 30);

// J, symmetric with a zero diagonal: row i begins at rows + i * stride and has `size` values.
template <typename Int>
struct DenseRows {
    const Int* rows = nullptr;
    size_t size = 0;    // variables, a multiple of kDensePadding
    size_t stride = 0;  // at least size; whole cache lines

    // So that the rows of a group do not all fall into the same sets of a cache.
    static size_t stride_of(size_t size) {
        constexpr size_t kLine = 64 / sizeof(Int), kPage = 4096 / sizeof(Int);
        return size % kPage == 0 ? size + kLine : size;
    }
};

// One replica. All arrays have `size` values; bits one a variable.
template <typename Int>
struct DenseReplica {
    Int* fields = nullptr;
    Int* signs = nullptr;      // 0 where x = 0, -1 where x = 1: d = (f ^ s) - s
    uint64_t* bits = nullptr;  // x
    uint64_t* best_bits = nullptr;
    int64_t energy = 0, best_energy = 0;
    int64_t flips = 0;
    bool at_best = true;  // the best state is the current one, not copied yet
};

// What moves a replica: its number keys the draws; threshold T = floor(t * units_per_t), units a t:
// 1 / (unit beta).
struct DenseDrive {
    uint32_t replica = 0;
    float units_per_t = 0;
};

struct DenseSweep {
    uint64_t seed = 0;
    uint32_t sweep = 0;
    size_t first = 0;  // variable of the group, a multiple of kDensePadding
};

// One group of several replicas: each tile of rows is fetched once for all of them.
template <typename Int>
void sweep_dense_group(const DenseRows<Int>& rows, std::span<DenseReplica<Int>> replicas,
                       std::span<const DenseDrive> drives, const DenseSweep& sweep);

// Its twin: one variable after another. Also what runs on machines without vectors.
template <typename Int>
void sweep_dense_group_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica,
                             const DenseDrive& drive, const DenseSweep& sweep);

// fields += rows of the variables set in `bits`, from linear terms that are there. O(n^2).
template <typename Int>
void add_dense_rows(const DenseRows<Int>& rows, const uint64_t* bits, Int* fields);

// Flips of the group at `first` change the energy by `change` and its word of bits to `word`. The
// best state, of those between groups, is copied when it is left: n / 8 bytes, and only then.
template <typename Int>
inline void note_flips(DenseReplica<Int>& replica, size_t size, size_t first, int64_t change,
                       uint64_t word) {
    uint64_t& bits = replica.bits[first / 64];
    if (word == bits) return;
    if (replica.at_best && change >= 0) {
        for (size_t k = 0; k < size / 64; ++k) replica.best_bits[k] = replica.bits[k];
        replica.at_best = false;
    }
    replica.flips += std::popcount(word ^ bits);
    bits = word;
    replica.energy += change;
    if (replica.energy < replica.best_energy) {
        replica.best_energy = replica.energy;
        replica.at_best = true;
    }
}

}  // namespace adiabat::anneal
