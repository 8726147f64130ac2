// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random rows and replicas of them, for the tests of kernels over dense rows.

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>

#include <vector>

#include "adiabat/anneal/kernels/dense_rows.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal::testing {

template <typename Int>
struct Fixture {
    // Couplings and linear terms up to `most`.
    explicit Fixture(size_t variables, uint64_t seed, int most = 50)
        : n(variables),
          size((variables + kDensePadding - 1) / kDensePadding * kDensePadding),
          stride(DenseRows<Int>::stride_of(size) + 64),
          rows(hwy::AllocateAligned<Int>(size * stride)),
          linear(size, kNeverField<Int>) {
        Random random(seed, 1);
        std::fill_n(rows.get(), size * stride, Int{0});
        const auto draw = [&] {
            return static_cast<Int>(
                static_cast<int>(random.below(2 * static_cast<uint32_t>(most) + 1)) - most);
        };
        for (size_t i = 0; i < n; ++i) {
            linear[i] = draw();
            for (size_t j = 0; j < i; ++j) rows[i * stride + j] = rows[j * stride + i] = draw();
        }
    }
    DenseRows<Int> view() const { return {rows.get(), size, stride}; }
    size_t n, size, stride;
    hwy::AlignedFreeUniquePtr<Int[]> rows;
    std::vector<Int> linear;
};

template <typename Int>
struct State {
    explicit State(const Fixture<Int>& f)
        : fields(hwy::AllocateAligned<Int>(f.size)),
          signs(hwy::AllocateAligned<Int>(f.size)),
          bits(f.size / 64),
          best_bits(f.size / 64) {
        std::copy_n(f.linear.data(), f.size, fields.get());
        std::fill_n(signs.get(), f.size, Int{0});
        replica = {fields.get(), signs.get(), bits.data(), best_bits.data()};
    }
    hwy::AlignedFreeUniquePtr<Int[]> fields, signs;
    std::vector<uint64_t> bits, best_bits;
    DenseReplica<Int> replica;
};

template <typename Int>
void expect_equal(const State<Int>& a, const State<Int>& b, const Fixture<Int>& f) {
    EXPECT_EQ(a.bits, b.bits);
    EXPECT_EQ(a.replica.energy, b.replica.energy);
    EXPECT_EQ(a.replica.best_energy, b.replica.best_energy);
    EXPECT_EQ(a.replica.at_best, b.replica.at_best);
    if (!a.replica.at_best) {
        EXPECT_EQ(a.best_bits, b.best_bits);
    }
    EXPECT_EQ(a.replica.flips, b.replica.flips);
    for (size_t i = 0; i < f.size; ++i) {
        ASSERT_EQ(a.fields[i], b.fields[i]) << i;
        ASSERT_EQ(a.signs[i], b.signs[i]) << i;
    }
}

// So many replicas twice: those that a kernel moves, and those of the naive twin.
template <typename Int>
struct Twins {
    Twins(const Fixture<Int>& f, size_t count) {
        for (size_t r = 0; r < count; ++r) {
            naive.emplace_back(f);
            replicas.push_back(fast.emplace_back(f).replica);
        }
    }
    // The twin's part of a sweep of one group of variables.
    void sweep_naively(const Fixture<Int>& f, std::span<const DenseDrive> drives,
                       const DenseSweep& sweep) {
        for (size_t r = 0; r < naive.size(); ++r)
            sweep_dense_group_naive<Int>(f.view(), naive[r].replica, drives[r], sweep);
    }
    void expect_equal(const Fixture<Int>& f) {
        for (size_t r = 0; r < naive.size(); ++r) {
            fast[r].replica = replicas[r];
            EXPECT_GT(replicas[r].flips, 0);
            testing::expect_equal(fast[r], naive[r], f);
        }
    }

    std::vector<State<Int>> fast, naive;
    std::vector<DenseReplica<Int>> replicas;
};

}  // namespace adiabat::anneal::testing
