// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/range_rule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"

namespace adiabat::recon {
namespace {

// Normal, with heavy tails, positive alone, negative alone, with many zeros.
std::vector<float> values_of(uint64_t seed, size_t count) {
    Random random(seed);
    std::vector<float> values(count);
    for (float& x : values) {
        x = static_cast<float>(random.normal());
        if (seed & 1) x = x * x * x;
        if (seed & 2) x = std::abs(x);
        if (seed & 4) x = -x;
        if (seed & 8) x = std::max(x, 0.0f);
    }
    return values;
}

TEST(RangeRule, PercentilesAreThoseOfTheSortedValues) {
    for (uint64_t seed = 0; seed < 16; ++seed) {
        for (const double percentile : {60.0, 99.0, 99.9, 99.99, 100.0}) {
            auto values = values_of(seed, 5001);
            const Range range = range_of(values, {RangeMethod::kPercentile, percentile});
            std::sort(values.begin(), values.end());
            const bool has_two = values.front() < 0 && values.back() > 0;
            const auto beyond = static_cast<size_t>(static_cast<double>(values.size()) *
                                                    (100 - percentile) / (has_two ? 200 : 100));
            const Range expected{std::min(values.front() < 0 ? values[beyond] : 0, 0.0f),
                                 std::max(values.back() > 0 ? values[5000 - beyond] : 0, 0.0f)};
            if (expected.high == expected.low) continue;  // most are zeros
            EXPECT_EQ(range.low, expected.low) << seed << " " << percentile;
            EXPECT_EQ(range.high, expected.high) << seed << " " << percentile;
        }
    }
}

// By maps of bins and codes, and no sums taken beforehand.
double divergence_naively(const std::vector<float>& values, Range whole, Range range) {
    constexpr int kBins = 2048;
    const double width = (static_cast<double>(whole.high) - whole.low) / kBins;
    std::map<int, double> counts;
    double all = 0;
    for (float x : values) {
        if (x == 0) continue;
        counts[std::clamp(static_cast<int>((static_cast<double>(x) - whole.low) / width), 0,
                          kBins - 1)] += 1;
        all += 1;
    }
    const int begin = static_cast<int>(std::lround((range.low - whole.low) / width)),
              end = static_cast<int>(std::lround((range.high - whole.low) / width));
    std::map<int, double> p;
    std::map<int, std::vector<int>> bins_of_code;
    double inside = 0;
    for (const auto& [bin, count] : counts) {
        p[std::clamp(bin, begin, end - 1)] += count / all;
        if (bin < begin || bin >= end) continue;
        inside += count;
        const double low = whole.low + begin * width, high = whole.low + end * width;
        bins_of_code[static_cast<int>(std::nearbyint((whole.low + (bin + 0.5) * width - low) /
                                                     ((high - low) / 255)))]
            .push_back(bin);
    }
    std::map<int, double> q;
    for (const auto& [code, bins] : bins_of_code) {
        double held = 0;
        for (int bin : bins) held += counts[bin];
        for (int bin : bins) q[bin] = held / static_cast<double>(bins.size()) / inside;
    }
    double sum = 0;
    for (const auto& [bin, share] : p) {
        if (!q.contains(bin)) return std::numeric_limits<double>::infinity();
        sum += share * std::log(share / q[bin]);
    }
    return sum;
}

TEST(RangeRule, EntropyIsTheLeastOfItsShares) {
    int clipped = 0;
    for (uint64_t seed = 0; seed < 16; ++seed) {
        const auto values = values_of(seed, 20000);
        const Range whole = whole_range(values);
        const Range range = range_of(values, {RangeMethod::kEntropy});
        const double found = divergence_naively(values, whole, range);
        EXPECT_LE(found, divergence_naively(values, whole, whole) + 1e-12) << "seed " << seed;
        clipped += range.high - range.low < 0.9f * (whole.high - whole.low);
        for (int k = 64; k > 64 - kEntropyShares; --k) {
            const float share = static_cast<float>(k) / 64;
            // Moving one edge gains nothing; of values of one sign there is no other.
            for (const Range other :
                 {Range{range.low, whole.high * share}, Range{whole.low * share, range.high}}) {
                if (other.high <= other.low) continue;
                EXPECT_GE(divergence_naively(values, whole, other), found * (1 - 1e-9))
                    << "seed " << seed << " share " << share;
            }
        }
    }
    EXPECT_GT(clipped, 4);
}

TEST(RangeRule, WholeRangesAndSquaredErrorsAreThoseOfRange) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
        const auto values = values_of(seed, 3000);
        const Range whole = range_of(values, {RangeMethod::kMinMax}), best = range_of(values, {});
        EXPECT_EQ(whole.high, whole_range(values).high);
        EXPECT_EQ(whole.low, whole_range(values).low);
        EXPECT_EQ(best.high, best_range(values).high);
        EXPECT_EQ(best.low, best_range(values).low);
    }
}

TEST(RangeRule, OddValuesHaveARangeByEveryRule) {
    std::vector<float> spike(20000, 0.0f);
    spike[7] = 3;
    for (const auto& values : {std::vector<float>{}, {0, 0}, {2}, {-2}, {0, 1e-30f}, spike}) {
        for (const char* rule : {"minmax", "mse", "percentile", "percentile:60", "entropy"}) {
            const Range range = range_of(values, parse_range_rule(rule)),
                        whole = whole_range(values);
            EXPECT_LE(range.low, 0) << rule;
            EXPECT_GE(range.high, 0) << rule;
            EXPECT_GE(range.low, whole.low) << rule;
            EXPECT_LE(range.high, whole.high) << rule;
            EXPECT_EQ(range.high > range.low, whole.high > whole.low) << rule;
        }
    }
}

TEST(RangeRule, NamesAreReadAgain) {
    for (const char* text : {"minmax", "mse", "percentile:99.99", "percentile:99.9", "entropy"}) {
        EXPECT_EQ(to_text(parse_range_rule(text)), text);
    }
    EXPECT_EQ(to_text(parse_range_rule("percentile")), "percentile:99.99");
    for (const char* text : {"", "max", "percentile:", "percentile:50", "percentile:101",
                             "percentile:nan", "percentile:99.9x", "mse:3", "percentile: 99"}) {
        EXPECT_THROW(parse_range_rule(text), InputError) << text;
    }
}

}  // namespace
}  // namespace adiabat::recon
