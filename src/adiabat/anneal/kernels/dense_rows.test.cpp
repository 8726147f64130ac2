// SPDX-License-Identifier: Apache-2.0
//
// Sweeps over rows equal their naive twin to the bit, on every instruction set.
#include "adiabat/anneal/kernels/dense_rows.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <vector>

#include "adiabat/anneal/kernels/dense_lanes.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

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

template <typename Int>
void compare(size_t n) {
    const Fixture<Int> f(n, n);
    constexpr size_t kReplicas = kDenseTogether + 3;
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        SCOPED_TRACE(hwy::TargetName(target));
        std::vector<State<Int>> fast, naive;
        std::vector<DenseReplica<Int>> replicas;
        std::vector<DenseDrive> drives;
        for (uint32_t r = 0; r < kReplicas; ++r) {
            naive.emplace_back(f);
            replicas.push_back(fast.emplace_back(f).replica);
        }
        for (uint32_t k = 0; k < 40; ++k) {
            drives.clear();
            for (uint32_t r = 0; r < kReplicas; ++r)
                drives.push_back({r, 400.0f / static_cast<float>(k + 1 + r)});
            for (size_t first = 0; first < f.size; first += kDensePadding) {
                const DenseSweep sweep{9, k, first};
                sweep_dense_group<Int>(f.view(), replicas, drives, sweep);
                for (size_t r = 0; r < kReplicas; ++r)
                    sweep_dense_group_naive<Int>(f.view(), naive[r].replica, drives[r], sweep);
            }
        }
        for (size_t r = 0; r < kReplicas; ++r) {
            fast[r].replica = replicas[r];
            EXPECT_GT(replicas[r].flips, 0);
            expect_equal(fast[r], naive[r], f);
        }
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST(DenseRows, ThirtyTwoBitsEqualTheNaiveTwin) {
    for (const size_t n : {1, 3, 63, 64, 65, 200, 300}) compare<int32_t>(n);
}

TEST(DenseRows, SixteenBitsEqualTheNaiveTwin) {
    for (const size_t n : {1, 5, 64, 127, 300}) compare<int16_t>(n);
}

// `most` bounds the couplings: one digit of them, or two.
template <typename Int>
void compare_lanes(size_t n, int most, int digits) {
    const Fixture<Int> f(n, n, most);
    const auto couplings = DenseLaneCouplings::of(f.view(), n);
    EXPECT_EQ(couplings.digits(), digits);
    for (const size_t count : {kDenseLanes, kDenseLanes - 5, size_t{9}}) {
        for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
            hwy::SetSupportedTargetsForTest(target);
            SCOPED_TRACE(hwy::TargetName(target));
            std::vector<State<Int>> fast, naive;
            std::vector<DenseReplica<Int>> replicas;
            std::vector<DenseDrive> drives;
            for (size_t r = 0; r < count; ++r) {
                naive.emplace_back(f);
                replicas.push_back(fast.emplace_back(f).replica);
            }
            auto fields = hwy::AllocateAligned<int32_t>(f.size * kDenseLanes);
            auto signs = hwy::AllocateAligned<int32_t>(f.size * kDenseLanes);
            const DenseLaneState lanes{fields.get(), signs.get()};
            for (uint32_t k = 0; k < 30; ++k) {
                drives.clear();
                for (uint32_t r = 0; r < count; ++r)
                    drives.push_back(
                        {r + 7, 16.0f * static_cast<float>(most) / static_cast<float>(k + 1 + r)});
                if (k % 3 == 0) replicas_to_lanes<Int>(replicas, f.size, lanes);
                for (size_t first = 0; first < f.size; first += kDensePadding) {
                    const DenseSweep sweep{9, k, first};
                    sweep_dense_lanes<Int>(couplings, lanes, replicas, drives, sweep);
                    for (size_t r = 0; r < count; ++r)
                        sweep_dense_group_naive<Int>(f.view(), naive[r].replica, drives[r], sweep);
                }
                if (k % 3 == 2) lanes_to_replicas<Int>(lanes, f.size, replicas);
            }
            for (size_t r = 0; r < count; ++r) {
                fast[r].replica = replicas[r];
                EXPECT_GT(replicas[r].flips, 0);
                expect_equal(fast[r], naive[r], f);
            }
        }
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST(DenseLanes, OneDigitEqualsTheNaiveTwin) {
    for (const size_t n : {1, 3, 16, 17, 63, 65, 150}) compare_lanes<int16_t>(n, 50, 1);
    for (const size_t n : {2, 48, 129}) compare_lanes<int32_t>(n, 0x7FFF, 1);
}

TEST(DenseLanes, TwoDigitsEqualTheNaiveTwin) {
    for (const size_t n : {2, 17, 63, 129, 200}) compare_lanes<int32_t>(n, 1 << 20, 2);
}

TEST(DenseRows, RowsOfAStateAddUp) {
    const Fixture<int32_t> f(150, 4);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        State<int32_t> state(f);
        std::vector<int32_t> expected = f.linear;
        for (size_t i = 0; i < f.n; i += 3) {
            state.bits[i / 64] |= uint64_t{1} << (i % 64);
            for (size_t j = 0; j < f.size; ++j) expected[j] += f.rows[i * f.stride + j];
        }
        add_dense_rows<int32_t>(f.view(), state.bits.data(), state.fields.get());
        for (size_t j = 0; j < f.size; ++j) ASSERT_EQ(state.fields[j], expected[j]);
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace adiabat::anneal
