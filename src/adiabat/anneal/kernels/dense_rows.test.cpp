// SPDX-License-Identifier: Apache-2.0
//
// Sweeps over rows equal their naive twin to the bit, on every instruction set.
#include "adiabat/anneal/kernels/dense_rows.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

template <typename Int>
struct Fixture {
    explicit Fixture(size_t variables, uint64_t seed)
        : n(variables),
          stride((variables + kDensePadding - 1) / kDensePadding * kDensePadding),
          rows(hwy::AllocateAligned<Int>(stride * stride)),
          linear(stride, kNeverField<Int>) {
        Random random(seed, 1);
        std::fill_n(rows.get(), stride * stride, Int{0});
        const auto draw = [&] { return static_cast<Int>(static_cast<int>(random.below(101)) - 50); };
        for (size_t i = 0; i < n; ++i) {
            linear[i] = draw();
            for (size_t j = 0; j < i; ++j)
                rows[i * stride + j] = rows[j * stride + i] = draw();
        }
    }
    size_t n, stride;
    hwy::AlignedFreeUniquePtr<Int[]> rows;
    std::vector<Int> linear;
};

template <typename Int>
struct State {
    explicit State(const Fixture<Int>& f)
        : fields(hwy::AllocateAligned<Int>(f.stride)),
          signs(hwy::AllocateAligned<Int>(f.stride)),
          bits(f.stride / 64),
          best_bits(f.stride / 64) {
        std::copy_n(f.linear.data(), f.stride, fields.get());
        std::fill_n(signs.get(), f.stride, Int{0});
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
    for (size_t i = 0; i < f.stride; ++i) {
        ASSERT_EQ(a.fields[i], b.fields[i]) << i;
        ASSERT_EQ(a.signs[i], b.signs[i]) << i;
    }
}

template <typename Int>
void compare(size_t n) {
    const Fixture<Int> f(n, n);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        SCOPED_TRACE(hwy::TargetName(target));
        State<Int> fast(f), naive(f);
        for (uint32_t k = 0; k < 40; ++k) {
            DenseSweep sweep{9, 3, k, 400.0f / static_cast<float>(k + 1), 0, f.stride};
            sweep_dense<Int>({f.rows.get(), f.stride}, fast.replica, sweep);
            sweep_dense_naive<Int>({f.rows.get(), f.stride}, naive.replica, sweep);
        }
        EXPECT_GT(fast.replica.flips, 0);
        expect_equal(fast, naive, f);
        // In pieces, as long sweeps are made.
        for (size_t begin = 0; begin < f.stride; begin += kDensePadding) {
            DenseSweep part{9, 3, 77, 100.0f, begin, begin + kDensePadding};
            sweep_dense<Int>({f.rows.get(), f.stride}, fast.replica, part);
        }
        DenseSweep whole{9, 3, 77, 100.0f, 0, f.stride};
        sweep_dense_naive<Int>({f.rows.get(), f.stride}, naive.replica, whole);
        expect_equal(fast, naive, f);
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST(DenseRows, ThirtyTwoBitsEqualTheNaiveTwin) {
    for (const size_t n : {1, 3, 63, 64, 65, 200, 300}) compare<int32_t>(n);
}

TEST(DenseRows, SixteenBitsEqualTheNaiveTwin) {
    for (const size_t n : {1, 5, 64, 127, 300}) compare<int16_t>(n);
}

TEST(DenseRows, RowsOfAStateAddUp) {
    const Fixture<int32_t> f(150, 4);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        State<int32_t> state(f);
        std::vector<int32_t> expected = f.linear;
        for (size_t i = 0; i < f.n; i += 3) {
            state.bits[i / 64] |= uint64_t{1} << (i % 64);
            for (size_t j = 0; j < f.stride; ++j) expected[j] += f.rows[i * f.stride + j];
        }
        add_dense_rows<int32_t>({f.rows.get(), f.stride}, state.bits.data(), state.fields.get());
        for (size_t j = 0; j < f.stride; ++j) ASSERT_EQ(state.fields[j], expected[j]);
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace adiabat::anneal
