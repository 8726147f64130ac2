// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/kernels/tabu_rows.h"

#include <gtest/gtest.h>
#include <hwy/aligned_allocator.h>
#include <hwy/targets.h>

#include <algorithm>

#include "adiabat/base/random.h"

namespace adiabat::anneal {
namespace {

// Small values, so that many changes are equal.
TEST(TabuRows, PassesEqualTheNaiveTwin) {
    for (const size_t size : {64, 128, 320}) {
        auto fast = hwy::AllocateAligned<int32_t>(size),
             naive = hwy::AllocateAligned<int32_t>(size),
             signs = hwy::AllocateAligned<int32_t>(size),
             until = hwy::AllocateAligned<int32_t>(size), row = hwy::AllocateAligned<int32_t>(size);
        for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
            hwy::SetSupportedTargetsForTest(target);
            Random random(size);
            const auto draw = [&] { return static_cast<int32_t>(random.below(7)) - 3; };
            for (size_t j = 0; j < size; ++j) fast[j] = naive[j] = draw();
            for (int32_t k = 0; k < 300; ++k) {
                for (size_t j = 0; j < size; ++j) {
                    signs[j] = -static_cast<int32_t>(random.below(2));
                    until[j] = k + (k % 7 == 0 ? 5 : draw());  // at times nothing is free
                    row[j] = draw();
                }
                TabuPass pass{k % 3 ? row.get() : nullptr, -(k % 2), size, k, k % 5 ? -100 : -2, 0};
                pass.first_group = random.below(static_cast<uint32_t>(size / 64));
                const int64_t expected =
                    tabu_pass_naive(pass, naive.get(), signs.get(), until.get());
                ASSERT_EQ(tabu_pass(pass, fast.get(), signs.get(), until.get()), expected)
                    << hwy::TargetName(target);
                ASSERT_TRUE(std::equal(fast.get(), fast.get() + size, naive.get()));
                if (k % 7 == 0 && k % 5) {
                    EXPECT_EQ(expected, -1);
                }
            }
        }
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace adiabat::anneal
