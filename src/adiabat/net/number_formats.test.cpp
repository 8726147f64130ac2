// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/number_formats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::net {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr DType kSmall[] = {DType::kFloat16,        DType::kBfloat16,   DType::kFloat8E4M3FN,
                            DType::kFloat8E4M3FNUZ, DType::kFloat8E5M2, DType::kFloat8E5M2FNUZ,
                            DType::kFloat4E2M1};

// All finite numbers of a format, by pattern; NaN and infinities left out.
std::vector<std::pair<double, uint32_t>> numbers_of(DType type) {
    std::vector<std::pair<double, uint32_t>> numbers;
    for (uint32_t pattern = 0; pattern < 1u << bits_of(type); ++pattern) {
        const double value = decode_small_float(type, pattern);
        if (std::isfinite(value)) numbers.emplace_back(value, pattern);
    }
    return numbers;
}

TEST(NumberFormats, EveryNumberComesBack) {
    for (DType type : kSmall) {
        for (const auto& [value, pattern] : numbers_of(type)) {
            ASSERT_EQ(encode_small_float(type, value), pattern) << name_of(type) << " " << value;
        }
    }
}

// The naive twin: the nearest of all numbers, of two the one with the even pattern.
TEST(NumberFormats, RoundsToTheNearestNumber) {
    for (DType type : kSmall) {
        if (bits_of(type) > 8) continue;
        const auto numbers = numbers_of(type);
        double largest = 0;
        for (const auto& [value, pattern] : numbers) largest = std::max(largest, value);
        Random random(7);
        for (int k = 0; k < 3000; ++k) {
            const double scale = std::ldexp(1.0, static_cast<int>(random.below(24)) - 18);
            const double x =
                std::fmin(scale * (1 + static_cast<double>(random.below(64)) / 64), largest);
            double best = kInfinity;
            uint32_t expected = 0;
            for (const auto& [value, pattern] : numbers) {
                if (std::signbit(value)) continue;
                const double apart = std::fabs(value - x);
                if (apart < best || (apart == best && pattern % 2 == 0)) {
                    best = apart;
                    expected = pattern;
                }
            }
            ASSERT_EQ(encode_small_float(type, x), expected) << name_of(type) << " " << x;
        }
    }
}

TEST(NumberFormats, TooLargeSaturatesOrDoesNot) {
    const auto through = [](DType type, double x, bool saturate) {
        return decode_small_float(type, encode_small_float(type, x, saturate));
    };
    EXPECT_EQ(through(DType::kFloat8E4M3FN, 464, false), 448);  // half way, to even
    EXPECT_TRUE(std::isnan(through(DType::kFloat8E4M3FN, 465, false)));
    EXPECT_EQ(through(DType::kFloat8E4M3FN, -kInfinity, true), -448);
    EXPECT_EQ(through(DType::kFloat8E5M2, 1e6, false), kInfinity);
    EXPECT_EQ(through(DType::kFloat8E5M2, 1e6, true), 57344);
    EXPECT_TRUE(std::isnan(through(DType::kFloat8E5M2FNUZ, kInfinity, false)));
    EXPECT_EQ(through(DType::kFloat16, 65519, true), 65504);
    EXPECT_EQ(through(DType::kFloat16, 65520, true), kInfinity);
    EXPECT_EQ(through(DType::kFloat4E2M1, 100, false), 6);
    for (DType type : kSmall) {
        if (type == DType::kFloat4E2M1) continue;  // which has no NaN
        EXPECT_TRUE(std::isnan(through(type, std::nan(""), true))) << name_of(type);
    }
}

TEST(NumberFormats, PowersOfTwoRoundAsAsked) {
    const auto through = [](double x, PowerRounding rounding) {
        const uint32_t pattern = encode_small_float(DType::kFloat8E8M0, x, true, rounding);
        return decode_small_float(DType::kFloat8E8M0, pattern);
    };
    for (const auto& [x, up, down, nearest] : {std::tuple{1.0, 1.0, 1.0, 1.0},
                                               {1.25, 2.0, 1.0, 1.0},
                                               {1.5, 2.0, 1.0, 2.0},
                                               {3.9, 4.0, 2.0, 4.0},
                                               {0x1p-100, 0x1p-100, 0x1p-100, 0x1p-100}}) {
        EXPECT_EQ(through(x, PowerRounding::kUp), up) << x;
        EXPECT_EQ(through(x, PowerRounding::kDown), down) << x;
        EXPECT_EQ(through(x, PowerRounding::kNearest), nearest) << x;
    }
}

}  // namespace
}  // namespace adiabat::net
