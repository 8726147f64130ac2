// SPDX-License-Identifier: Apache-2.0
//
// Pair moves equal their naive twin to the bit, on every instruction set; they begin anywhere with
// the same probability. What they sample is in boltzmann.test.cpp.
#include "adiabat/anneal/kernels/dense_pairs.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <vector>

#include "adiabat/anneal/chi_square.test.h"
#include "adiabat/anneal/kernels/dense_rows.test.h"

namespace adiabat::anneal {
namespace {

template <typename Int>
void compare(size_t n) {
    const testing::Fixture<Int> f(n, n);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        SCOPED_TRACE(hwy::TargetName(target));
        testing::State<Int> fast(f), naive(f);
        for (uint32_t k = 0; k < 400; ++k) {
            // From hot to cold, and at zero temperature.
            const float units_per_t = k % 50 == 49 ? 0.0f : 1000.0f / static_cast<float>(k + 1);
            const PairDraw draw{9, k / 20, 3, k % 20};
            const size_t first = first_of_pair(draw, static_cast<int>(n));
            pair_move(f.view(), fast.replica, units_per_t, draw, first);
            pair_move_naive(f.view(), naive.replica, units_per_t, draw, first);
        }
        EXPECT_EQ(fast.replica.flips > 0, n > 1);
        testing::expect_equal(fast, naive, f);
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST(DensePairs, ThirtyTwoBitsEqualTheNaiveTwin) {
    for (const size_t n : {1, 3, 63, 64, 65, 300}) compare<int32_t>(n);
}

TEST(DensePairs, SixteenBitsEqualTheNaiveTwin) {
    for (const size_t n : {1, 5, 64, 127, 300}) compare<int16_t>(n);
}

TEST(DensePairs, BeginAnywhere) {
    constexpr int kVariables = 7;
    std::vector<int64_t> counts(kVariables);
    for (uint32_t sweep = 0; sweep < 1000; ++sweep)
        for (uint32_t number = 0; number < kVariables; ++number)
            ++counts[first_of_pair({5, sweep, 2, number}, kVariables)];
    EXPECT_GE(testing::chi_square_p(counts, std::vector<double>(kVariables, 1.0 / kVariables)),
              testing::kReject);
}

}  // namespace
}  // namespace adiabat::anneal
