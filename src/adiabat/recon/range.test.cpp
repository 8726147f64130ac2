// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/range.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::recon {
namespace {

// What coding really costs: every value rounded, saturated and taken back.
double error_naively(const std::vector<float>& values, Range range) {
    const CodeMap map = code_map(range);
    double sum = 0;
    for (float x : values) {
        const double code = std::clamp(
            std::nearbyint(static_cast<double>(x) / map.scale) + map.zero_point, 0.0, 255.0);
        const double difference = x - map.scale * (code - map.zero_point);
        sum += difference * difference;
    }
    return sum;
}

TEST(Range, IsAsGoodAsAScanOfRealErrors) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
        Random random(seed);
        std::vector<float> values(20000);
        for (float& x : values) {
            x = static_cast<float>(random.normal());
            if (seed >= 4) x = x * x * x;  // heavy tails
            if (seed % 2) x = std::max(x, 0.0f);
        }
        const Range whole = whole_range(values);
        double least = error_naively(values, whole);
        for (float low = 0.3f; low <= 1; low += 0.1f) {
            for (float high = 0.3f; high <= 1; high += 0.1f) {
                least =
                    std::min(least, error_naively(values, {whole.low * low, whole.high * high}));
            }
        }
        EXPECT_LE(error_naively(values, best_range(values)), 1.06 * least) << "seed " << seed;
    }
}

TEST(Range, ClipsWhereTheBulkGainsMoreThanTheOutlierLoses) {
    Random random(1);
    std::vector<float> values(400000);
    for (float& x : values) x = static_cast<float>(random.normal());
    values.push_back(8.0f);
    EXPECT_LT(best_range(values).high, 7.0f);
    EXPECT_LT(error_naively(values, best_range(values)),
              error_naively(values, whole_range(values)));
}

TEST(Range, ZeroIsAlwaysACode) {
    for (const auto& values : {std::vector<float>{1, 2, 3}, {-3, -1}, {-1, 5}, {0, 0}, {}}) {
        const CodeMap map = code_map(best_range(values));
        EXPECT_GT(map.scale, 0);
        const Range range = whole_range(values);
        EXPECT_LE(range.low, 0);
        EXPECT_GE(range.high, 0);
    }
    EXPECT_EQ(code_map({0, 2.55f}).zero_point, 0);
    EXPECT_EQ(code_map({-2.55f, 0}).zero_point, 255);
}

}  // namespace
}  // namespace adiabat::recon
