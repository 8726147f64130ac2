// SPDX-License-Identifier: Apache-2.0
#include "adiabat/report/curve.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace adiabat::report {
namespace {

TEST(Curve, TicksCoverTheRangeInRoundSteps) {
    EXPECT_EQ(ticks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
    for (const auto& [low, high] : {std::pair{3.0, 3.0}, {0.0, 0.0}, {-2.5, 17.3}, {1e-9, 2e-9}}) {
        const auto marks = ticks(low, high);
        ASSERT_GE(marks.size(), 2u);
        EXPECT_LE(marks.front(), low + 1e-12);
        EXPECT_GE(marks.back(), high - 1e-12);
        EXPECT_LE(marks.size(), 12u);
    }
}

TEST(Curve, KneeIsWhereTheCurveBends) {
    std::vector<CurvePoint> points;
    for (int k = 10; k >= 1; --k) {  // 1/x, shuffled by going down
        points.push_back({static_cast<double>(k), 1.0 / k, ""});
    }
    const auto knee = knee_of(points);
    ASSERT_TRUE(knee);
    EXPECT_EQ(points[*knee].x, 3);
}

TEST(Curve, AStraightLineAndTwoPointsHaveNone) {
    EXPECT_FALSE(knee_of({{1, 3, ""}, {2, 2, ""}, {3, 1, ""}}));
    EXPECT_FALSE(knee_of({{1, 3, ""}, {2, 1, ""}}));
    EXPECT_FALSE(knee_of({{1, 1, ""}, {2, 2, ""}, {3, 3, ""}}));
    EXPECT_FALSE(knee_of({}));
}

TEST(Curve, SvgHoldsEveryFinitePointOnceAndEscapesText) {
    Curve curve{"a < b & c", "MACs", "KL", {{1e6, 0.1, "\"one\""}, {2e6, 0.05, "two"}}, 1};
    curve.points.push_back({std::numeric_limits<double>::quiet_NaN(), 1, "none"});
    const std::string svg = to_svg(curve);
    size_t circles = 0;
    for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1))
        ++circles;
    EXPECT_EQ(circles, 2u);
    EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
    EXPECT_NE(svg.find("&quot;one&quot;"), std::string::npos);
    EXPECT_NE(svg.find("knee"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
    EXPECT_NE(to_svg({}).find("</svg>"), std::string::npos);
}

}  // namespace
}  // namespace adiabat::report
