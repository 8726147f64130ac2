// SPDX-License-Identifier: Apache-2.0
#pragma once

// Replicas of a dense problem that go into lanes while that is faster, and back into rows.
//
// While it is hot many proposals are accepted and lanes (kernels/dense_lanes.h) win; once it is
// cold rows (kernels/dense_rows.h) do. Both walk the same states, so the choice is one of speed
// alone: a bundle looks at the share of proposals that the last sweep accepted. Moving costs O(n) a
// replica, a sweep O(n) and O(n) a flip or, in lanes, O(n^2).

#include <hwy/aligned_allocator.h>

#include <cmath>
#include <new>
#include <span>

#include "adiabat/anneal/kernels/dense_lanes.h"

namespace adiabat::anneal {

// Nanoseconds of a proposal, fitted to walks of 60 to 1000 variables at temperatures from hot to
// cold, AVX-512; only their ratio counts. What does nothing for a group is left out of both once
// acceptance falls.
struct DenseCosts {
    static double rows(double acceptance, double variables) {
        return 0.7 + 2.3 * (1 - std::exp(-60 * acceptance)) +
               acceptance * (5.5 + 0.015 * variables);
    }
    static double lanes(double acceptance, double variables, int digits, size_t replicas) {
        const double busy = 1 - std::exp(-100 * acceptance);
        const size_t lanes = (replicas + 15) / 16 * 16;  // of whole vectors
        const double lost = static_cast<double>(lanes) / static_cast<double>(replicas);
        return lost * (0.7 + busy * (0.7 + 0.0068 * digits * variables));
    }
};

template <typename Int>
class LaneBundle {
  public:
    // Up to kDenseLanes replicas of `size` padded values.
    LaneBundle(std::span<DenseReplica<Int>> replicas, size_t size)
        : replicas_(replicas), size_(size), flips_(flips()) {}

    bool in_lanes() const { return in_lanes_; }
    std::span<DenseReplica<Int>> replicas() const { return replicas_; }
    DenseLaneState state() const { return {memory_.get(), memory_.get() + size_ * kDenseLanes}; }

    // Before a sweep: the layout that suits what the last one accepted.
    void choose(int variables, int digits) {
        const int64_t now = flips();
        const double acceptance =
            static_cast<double>(now - flips_) / variables / static_cast<double>(replicas_.size());
        flips_ = now;
        const double rows = DenseCosts::rows(acceptance, variables);
        const double lanes = DenseCosts::lanes(acceptance, variables, digits, replicas_.size());
        // Not to and fro.
        if (in_lanes_ ? lanes > 1.1 * rows : rows < 1.1 * lanes) {
            to_rows();
        } else {
            to_lanes();
        }
    }

    // Fields and signs of the replicas are current afterwards.
    void to_rows() {
        if (!in_lanes_) return;
        lanes_to_replicas(state(), size_, replicas_);
        in_lanes_ = false;
    }

  private:
    void to_lanes() {
        if (in_lanes_) return;
        if (!memory_) memory_ = hwy::AllocateAligned<int32_t>(2 * size_ * kDenseLanes);
        if (!memory_) throw std::bad_alloc();
        replicas_to_lanes<Int>(replicas_, size_, state());
        in_lanes_ = true;
    }
    int64_t flips() const {
        int64_t sum = 0;
        for (const auto& replica : replicas_) sum += replica.flips;
        return sum;
    }

    std::span<DenseReplica<Int>> replicas_;
    size_t size_;
    int64_t flips_;
    bool in_lanes_ = false;
    hwy::AlignedFreeUniquePtr<int32_t[]> memory_;
};

}  // namespace adiabat::anneal
