// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/split.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "adiabat/data/testing.test.h"

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

TEST(Split, ReplacesWhatIsBroken) {
    const auto whole = draw_split(100, 20, 0.5, 3);
    std::vector<int64_t> asked;
    const auto none = [&](std::span<const int64_t> rows) {
        asked.insert(asked.end(), rows.begin(), rows.end());
        return std::vector<int64_t>();
    };
    EXPECT_EQ(draw_split(100, 20, 0.5, 3, none), whole);
    EXPECT_EQ(asked.size(), 20u);

    // Every third row is broken: those drawn that are not stay, and others come for the rest.
    const auto thirds = [](std::span<const int64_t> rows) {
        std::vector<int64_t> broken;
        std::ranges::copy_if(rows, std::back_inserter(broken),
                             [](auto row) { return row % 3 == 0; });
        return broken;
    };
    const auto split = draw_split(100, 20, 0.5, 3, thirds);
    EXPECT_EQ(split, draw_split(100, 20, 0.5, 3, thirds));
    std::vector<int64_t> all = split.sensing;
    all.insert(all.end(), split.judging.begin(), split.judging.end());
    EXPECT_EQ(all.size(), 20u);
    EXPECT_TRUE(thirds(all).empty());
    std::ranges::sort(all);
    EXPECT_EQ(std::ranges::adjacent_find(all), all.end());
    for (const int64_t row : asked) {
        EXPECT_EQ(std::ranges::binary_search(all, row), row % 3 != 0) << row;
    }
    // 66 of 100 are left, however many are wanted; one is not enough.
    const auto most = draw_split(100, 100, 0.5, 3, thirds);
    EXPECT_EQ(most.sensing.size() + most.judging.size(), 66u);
    EXPECT_REFUSED(draw_split(2, 2, 0.5, 3, thirds), "1 calibration images can be read");
}

}  // namespace
}  // namespace adiabat::data
