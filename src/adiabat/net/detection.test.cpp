// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/detection.h"

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"

namespace adiabat::net {
namespace {

using Ints = std::vector<int64_t>;

TEST(Detection, FindsDifferentRows) {
    const std::vector<double> rows = {2, 0, 1, 5, 2, 0, 1, 4};
    const auto sorted = unique_rows(rows, 4, true);
    EXPECT_EQ(sorted.first, (Ints{3, 1, 0}));
    EXPECT_EQ(sorted.inverse, (Ints{2, 1, 2, 0}));
    EXPECT_EQ(sorted.counts, (Ints{1, 1, 2}));
    const auto placed = unique_rows(rows, 4, false);
    EXPECT_EQ(placed.first, (Ints{0, 1, 3}));
    EXPECT_EQ(placed.inverse, (Ints{0, 1, 0, 2}));
    EXPECT_EQ(placed.counts, (Ints{2, 1, 1}));
    EXPECT_TRUE(unique_rows({}, 0, true).first.empty());
}

TEST(Detection, SuppressesBoxesThatOverlapABetterOne) {
    // The second lies half on the first (1 / 3 of the union), the third apart.
    const std::vector<double> boxes = {0, 0, 2, 2, 0, 1, 2, 3, 8, 8, 9, 9};
    const std::vector<double> scores = {0.5, 0.9, 0.7};
    SuppressionLimits limits{.most = 3, .overlap = 0.3, .score = {}, .by_center = false};
    EXPECT_EQ(suppress_non_maxima(boxes, scores, {1, 1, 3}, limits), (Ints{0, 0, 1, 0, 0, 2}));
    limits.overlap = 0.4;
    EXPECT_EQ(suppress_non_maxima(boxes, scores, {1, 1, 3}, limits).size(), 9u);
    limits.score = 0.6;
    EXPECT_EQ(suppress_non_maxima(boxes, scores, {1, 1, 3}, limits).size(), 6u);
    limits.most = 1;
    EXPECT_EQ(suppress_non_maxima(boxes, scores, {1, 1, 3}, limits), (Ints{0, 0, 1}));
    const std::vector<double> centers = {1, 1, 2, 2, 2, 1, 2, 2, 8.5, 8.5, 1, 1};
    limits = {.most = 3, .overlap = 0.3, .score = {}, .by_center = true};
    EXPECT_EQ(suppress_non_maxima(centers, scores, {1, 1, 3}, limits), (Ints{0, 0, 1, 0, 0, 2}));
}

TEST(Detection, AlignsARegionOfARamp) {
    std::vector<float> ramp(64);
    for (size_t k = 0; k < ramp.size(); ++k) ramp[k] = static_cast<float>(k % 8);
    const std::vector<double> region = {1, 1, 5, 5};
    const Ints number = {0};
    std::vector<float> out(4);
    const RoiAlignment how{.height = 2, .width = 2, .half_pixel = false};
    roi_align(ramp, {1, 1, 8, 8}, region, number, how, out);
    EXPECT_EQ(out, (std::vector<float>{2, 4, 2, 4}));
    const std::vector<double> vast = {0, 0, 1e12, 1};
    EXPECT_THROW(roi_align(ramp, {1, 1, 8, 8}, vast, number, how, out), InputError);
}

}  // namespace
}  // namespace adiabat::net
