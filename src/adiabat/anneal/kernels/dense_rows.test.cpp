// SPDX-License-Identifier: Apache-2.0
//
// Sweeps over rows equal their naive twin to the bit, on every instruction set.
#include "adiabat/anneal/kernels/dense_rows.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <vector>

#include "adiabat/anneal/kernels/dense_rows.test.h"

namespace adiabat::anneal {
namespace {

using testing::Fixture, testing::State, testing::Twins;

template <typename Int>
void compare(size_t n) {
    const Fixture<Int> f(n, n);
    constexpr size_t kReplicas = kDenseTogether + 3;
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        SCOPED_TRACE(hwy::TargetName(target));
        Twins<Int> twins(f, kReplicas);
        std::vector<DenseDrive> drives;
        for (uint32_t k = 0; k < 40; ++k) {
            drives.clear();
            for (uint32_t r = 0; r < kReplicas; ++r)
                drives.push_back({r, 400.0f / static_cast<float>(k + 1 + r)});
            for (size_t first = 0; first < f.size; first += kDensePadding) {
                const DenseSweep sweep{9, k, first};
                sweep_dense_group<Int>(f.view(), twins.replicas, drives, sweep);
                twins.sweep_naively(f, drives, sweep);
            }
        }
        twins.expect_equal(f);
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
            for (size_t j = 0; j < f.size; ++j) expected[j] += f.rows[i * f.stride + j];
        }
        add_dense_rows<int32_t>(f.view(), state.bits.data(), state.fields.get());
        for (size_t j = 0; j < f.size; ++j) ASSERT_EQ(state.fields[j], expected[j]);
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace adiabat::anneal
