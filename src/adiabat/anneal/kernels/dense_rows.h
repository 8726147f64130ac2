// SPDX-License-Identifier: Apache-2.0
#pragma once

// The sweep of one replica of a dense problem: rows of whole numbers, several neighboring variables
// checked at once against cached local fields.
//
// A block of variables (as many as one vector of Philox counters has words for) is looked at
// together. Where d = (1 - 2 x) f of all of them is beyond what any threshold accepts, no random
// number is drawn, which is what most blocks are once it is cold. Else all thresholds of the block
// are drawn, and the variables with d <= T flip one after another, each updating the fields inside
// the block at once; the fields outside are updated when the block is done, all flips in one pass,
// so that a field is loaded and stored once a block and not once a flip. The result is that of
// proposing the variables one by one in order (sweep_dense_naive), to the bit, on every instruction
// set. O(1) a proposal, O(n) a flip.
//
// Int is int32_t, or int16_t where the coefficients are small whole numbers: half the memory, twice
// the lanes.

#include <cstddef>
#include <cstdint>

namespace adiabat::anneal {

// Rows and fields are padded to a multiple of this many values, and aligned to 64 bytes.
inline constexpr size_t kDensePadding = 64;

// No sum of a row's sizes is larger than kMost (it bounds every field); thresholds are clipped to
// it. Fields of padding variables are kNever: above every threshold.
template <typename Int>
inline constexpr Int kMostField = sizeof(Int) == 2 ? Int{1 << 14} : static_cast<Int>(1 << 29);
template <typename Int>
inline constexpr Int kNeverField = sizeof(Int) == 2 ? Int{32000} : static_cast<Int>(1 << 30);

// J, symmetric with a zero diagonal: row i begins at rows + i * stride.
template <typename Int>
struct DenseRows {
    const Int* rows = nullptr;
    size_t stride = 0;  // a multiple of kDensePadding
};

// One replica. All arrays have `stride` values; bits one a variable.
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

struct DenseSweep {
    uint64_t seed = 0;
    uint32_t replica = 0, sweep = 0;
    float units_per_t = 0;  // threshold T = floor(t * units_per_t): unit / beta
    size_t begin = 0, end = 0;  // variables, multiples of kDensePadding
};

template <typename Int>
void sweep_dense(const DenseRows<Int>& rows, DenseReplica<Int>& replica, const DenseSweep& sweep);

// Its twin: one variable after another. Also what runs on machines without vectors.
template <typename Int>
void sweep_dense_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica,
                       const DenseSweep& sweep);

// fields += rows of the variables set in `bits`, from linear terms that are there. O(n^2).
template <typename Int>
void add_dense_rows(const DenseRows<Int>& rows, const uint64_t* bits, Int* fields);

// What a flip of `variable` with change `d` does to everything but signs and fields. The best state
// is copied when it is left: n / 8 bytes, and only then.
template <typename Int>
inline void note_flip(DenseReplica<Int>& replica, size_t stride, size_t variable, int64_t d) {
    if (replica.at_best && d >= 0) {
        for (size_t k = 0; k < stride / 64; ++k) replica.best_bits[k] = replica.bits[k];
        replica.at_best = false;
    }
    replica.energy += d;
    replica.bits[variable / 64] ^= uint64_t{1} << (variable % 64);
    ++replica.flips;
    if (replica.energy < replica.best_energy) {
        replica.best_energy = replica.energy;
        replica.at_best = true;
    }
}

}  // namespace adiabat::anneal
