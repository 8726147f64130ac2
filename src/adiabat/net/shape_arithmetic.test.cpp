// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/shape_arithmetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace adiabat::net {
namespace {

// The naive twin: walk from the clamped start until the clamped end.
std::vector<int64_t> positions_naively(int64_t start, int64_t end, int64_t step, int64_t size) {
    std::vector<int64_t> taken;
    if (start < 0) start += size;
    if (end < 0) end += size;
    if (step > 0) {
        for (int64_t at = std::max<int64_t>(start, 0); at < std::min(end, size); at += step) {
            taken.push_back(at);
        }
    } else {
        const int64_t first = std::clamp<int64_t>(start, 0, size - 1);
        for (int64_t at = first; at > std::max<int64_t>(end, -1); at += step) taken.push_back(at);
    }
    return taken;
}

std::vector<int64_t> positions(const SliceRange& range) {
    std::vector<int64_t> taken;
    for (int64_t k = 0; k < range.count; ++k) taken.push_back(range.start + k * range.step);
    return taken;
}

TEST(SliceRange, AgreesWithWalking) {
    for (int64_t size = 1; size <= 5; ++size) {
        for (int64_t start = -7; start <= 7; ++start) {
            for (int64_t end = -7; end <= 7; ++end) {
                for (int64_t step : {-3, -2, -1, 1, 2, 3}) {
                    EXPECT_EQ(positions(slice_range(start, end, step, size)),
                              positions_naively(start, end, step, size))
                        << start << ":" << end << ":" << step << " of " << size;
                }
            }
        }
    }
}

TEST(SliceRange, TakesAnyIntegerForAnEnd) {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
    EXPECT_EQ(positions(slice_range(0, kMax, 2, 5)), (std::vector<int64_t>{0, 2, 4}));
    EXPECT_EQ(positions(slice_range(-1, -kMax, -1, 3)), (std::vector<int64_t>{2, 1, 0}));
    EXPECT_EQ(positions(slice_range(kMax, kMin, -1, 3)), (std::vector<int64_t>{2, 1, 0}));
    EXPECT_EQ(positions(slice_range(kMax, kMin, kMin, 3)), (std::vector<int64_t>{2}));
    EXPECT_EQ(positions(slice_range(kMin, kMax, kMax, 3)), (std::vector<int64_t>{0}));
    EXPECT_TRUE(positions(slice_range(0, kMax, 1, 0)).empty());
}

TEST(Broadcast, KeepsTheBatchUnknown) {
    EXPECT_EQ(broadcast({kUnknown, 3, 1}, {3, 4}), (Shape{kUnknown, 3, 4}));
    EXPECT_EQ(broadcast({kUnknown}, {1}), (Shape{kUnknown}));
    EXPECT_EQ(broadcast({}, {2}), (Shape{2}));
    EXPECT_EQ(broadcast({2, 3}, {2}), std::nullopt);
}

TEST(Reshape, InfersCopiesAndCancelsTheBatch) {
    EXPECT_EQ(reshape({2, 6}, {3, -1}, false), (Shape{3, 4}));
    EXPECT_EQ(reshape({kUnknown, 24, 8, 8}, {-1, 2, 12, 8, 8}, false),
              (Shape{kUnknown, 2, 12, 8, 8}));
    EXPECT_EQ(reshape({kUnknown, 64, 1, 1}, {0, -1}, false), (Shape{kUnknown, 64}));
    EXPECT_EQ(reshape({kUnknown, 64}, {std::nullopt, 64}, false), (Shape{kUnknown, 64}));
    EXPECT_EQ(reshape({0, 3}, {0, 3}, true), (Shape{0, 3}));
}

TEST(Reshape, RefusesWhatDoesNotFit) {
    EXPECT_EQ(reshape({2, 6}, {5, -1}, false), std::nullopt);
    EXPECT_EQ(reshape({2, 6}, {3, 5}, false), std::nullopt);
    EXPECT_EQ(reshape({2, 6}, {-1, -1}, false), std::nullopt);
    EXPECT_EQ(reshape({2}, {1, 1, 0}, false), std::nullopt);
    EXPECT_EQ(reshape({2}, {-2}, false), std::nullopt);
}

}  // namespace
}  // namespace adiabat::net
