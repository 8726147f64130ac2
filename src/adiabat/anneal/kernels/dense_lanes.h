// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sweeps of up to thirty-two replicas of a dense problem, one a lane: what is fastest while many
// proposals are accepted, where dense_rows.h is fastest while few are.
//
// Rows add one row of n fields to each replica that accepts. Here the flips of a block of sixteen
// variables are one matrix of changes, delta in {-1, 0, 1}, variables by replicas, and the fields
// outside gain J delta: a product of small matrices, whose cost does not depend on how many flips
// there are. Multiply-and-add of 16-bit pairs does two variables of a vector of replicas at once; a
// coupling is one such digit where it fits, else two, J = 2^15 high + low. All is exact: the
// states, energies and best states are those of sweep_dense_group with the same draws, to the bit.
//
// Cost: digits n / 32 instructions a proposal with vectors of 64 bytes, and no branch on what is
// accepted. Within a block the variables are proposed one after another, in all lanes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/kernels/dense_rows.h"

namespace adiabat::anneal {

inline constexpr size_t kDenseLanes = 32;
inline constexpr size_t kLaneBlock = 16;
// With more variables neither the fields of the replicas nor the couplings of a block fit a cache.
inline constexpr size_t kMostInLanes = 4096;

// J as products want it, made from rows. `size` is the number of variables rounded up to whole
// blocks; beyond the problem's own, all is 0.
class DenseLaneCouplings {
  public:
    // O(n^2); memory: 2 bytes a digit and coupling.
    template <typename Int>
    static DenseLaneCouplings of(const DenseRows<Int>& rows, size_t variables);

    template <typename Int>
    static bool is_one_digit(std::span<const Int> couplings) {
        return std::ranges::all_of(couplings, [](Int j) { return j > -0x8000 && j < 0x8000; });
    }

    size_t size() const { return size_; }
    int digits() const { return high_.empty() ? 1 : 2; }
    // What it will take, before it is made, with two digits.
    static size_t most_bytes(size_t variables) {
        return 4 * (variables + kLaneBlock) * (variables + 2 * kLaneBlock);
    }

    // Digits of J[i][j] and J[i + 1][j], i even, in the low and the high half of a word.
    const uint32_t* low(size_t i) const { return low_.data() + i / 2 * size_; }
    const uint32_t* high(size_t i) const { return high_.data() + i / 2 * size_; }
    // J among the variables of the block that begins at i, row by row.
    const int32_t* tile(size_t i) const { return tiles_.data() + i * kLaneBlock; }

  private:
    size_t size_ = 0;
    std::vector<uint32_t> low_, high_;
    std::vector<int32_t> tiles_;
};

// Replicas in lanes: lane r of variable i is value i * kDenseLanes + r. Aligned to 64 bytes.
struct DenseLaneState {
    int32_t* fields = nullptr;
    int32_t* signs = nullptr;  // 0 where x = 0, -1 where x = 1
};

// One group of kDensePadding variables of up to kDenseLanes replicas whose fields and signs are in
// `state`; bits, energies and flips are kept in `replicas`, their fields and signs are not touched.
template <typename Int>
void sweep_dense_lanes(const DenseLaneCouplings& couplings, const DenseLaneState& state,
                       std::span<DenseReplica<Int>> replicas, std::span<const DenseDrive> drives,
                       const DenseSweep& sweep);

// Fields and signs into lanes and back; lanes without a replica never flip. O(n).
template <typename Int>
void replicas_to_lanes(std::span<const DenseReplica<Int>> replicas, size_t size,
                       const DenseLaneState& state);
template <typename Int>
void lanes_to_replicas(const DenseLaneState& state, size_t size,
                       std::span<DenseReplica<Int>> replicas);

}  // namespace adiabat::anneal
