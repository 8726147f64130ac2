// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "adiabat/base/errors.h"

namespace adiabat::data {
namespace {

TEST(Split, DrawsDisjointSortedParts) {
    for (uint64_t seed = 0; seed < 100; ++seed) {
        const auto wanted = static_cast<int64_t>(2 + seed);
        const auto split = draw_split(120, wanted, 0.25, seed);
        EXPECT_EQ(split, draw_split(120, wanted, 0.25, seed));
        std::set<int64_t> rows(split.sensing.begin(), split.sensing.end());
        rows.insert(split.judging.begin(), split.judging.end());
        EXPECT_EQ(static_cast<int64_t>(rows.size()), wanted);
        EXPECT_EQ(static_cast<int64_t>(split.sensing.size() + split.judging.size()), wanted);
        EXPECT_GE(*rows.begin(), 0);
        EXPECT_LT(*rows.rbegin(), 120);
        EXPECT_TRUE(std::ranges::is_sorted(split.sensing));
        EXPECT_TRUE(std::ranges::is_sorted(split.judging));
        EXPECT_FALSE(split.sensing.empty() || split.judging.empty());
    }
    EXPECT_EQ(draw_split(1000, 400, 0.25, 3).judging.size(), 100u);
    EXPECT_NE(draw_split(1000, 400, 0.25, 3), draw_split(1000, 400, 0.25, 4));
}

TEST(Split, TakesAllWhereMoreAreWanted) {
    const auto split = draw_split(10, 1'000'000, 0.5, 1);
    EXPECT_EQ(split.sensing.size(), 5u);
    EXPECT_EQ(split.judging.size(), 5u);
    EXPECT_EQ(draw_split(2, 2, 0.999, 1).sensing.size(), 1u);
}

TEST(Split, DrawsEachRowEquallyOften) {
    std::vector<int> count(10);
    constexpr int kDraws = 20'000;
    for (uint64_t seed = 0; seed < kDraws; ++seed) {
        for (const int64_t row : draw_split(10, 3, 0.3, seed).judging)
            ++count[static_cast<size_t>(row)];
    }
    double chi = 0;
    for (const int n : count) chi += (n - kDraws / 10.0) * (n - kDraws / 10.0) / (kDraws / 10.0);
    EXPECT_LT(chi, 33.7);  // chi-square with 9 degrees of freedom, 1e-4
}

TEST(Split, RefusesWhatCannotBeDivided) {
    EXPECT_THROW(draw_split(0, 10, 0.5, 1), InputError);
    EXPECT_THROW(draw_split(1, 10, 0.5, 1), InputError);
    EXPECT_THROW(draw_split(10, 1, 0.5, 1), InputError);
    EXPECT_THROW(draw_split(10, 5, 0, 1), InputError);
    EXPECT_THROW(draw_split(10, 5, 1, 1), InputError);
    EXPECT_THROW(draw_split(int64_t{1} << 33, 5, 0.5, 1), InputError);
}

}  // namespace
}  // namespace adiabat::data
