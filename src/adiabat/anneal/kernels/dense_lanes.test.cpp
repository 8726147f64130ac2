// SPDX-License-Identifier: Apache-2.0
//
// Sweeps in lanes equal the naive twin of sweeps over rows to the bit, on every instruction set.
#include "adiabat/anneal/kernels/dense_lanes.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <vector>

#include "adiabat/anneal/kernels/dense_rows.test.h"

namespace adiabat::anneal {
namespace {

using testing::Fixture, testing::Twins;

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
            Twins<Int> twins(f, count);
            std::vector<DenseDrive> drives;
            auto fields = hwy::AllocateAligned<int32_t>(f.size * kDenseLanes);
            auto signs = hwy::AllocateAligned<int32_t>(f.size * kDenseLanes);
            const DenseLaneState lanes{fields.get(), signs.get()};
            for (uint32_t k = 0; k < 30; ++k) {
                drives.clear();
                for (uint32_t r = 0; r < count; ++r)
                    drives.push_back(
                        {r + 7, 16.0f * static_cast<float>(most) / static_cast<float>(k + 1 + r)});
                if (k % 3 == 0) replicas_to_lanes<Int>(twins.replicas, f.size, lanes);
                for (size_t first = 0; first < f.size; first += kDensePadding) {
                    const DenseSweep sweep{9, k, first};
                    sweep_dense_lanes<Int>(couplings, lanes, twins.replicas, drives, sweep);
                    twins.sweep_naively(f, drives, sweep);
                }
                if (k % 3 == 2) lanes_to_replicas<Int>(lanes, f.size, twins.replicas);
            }
            twins.expect_equal(f);
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

}  // namespace
}  // namespace adiabat::anneal
