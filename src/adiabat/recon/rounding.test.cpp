// SPDX-License-Identifier: Apache-2.0
#include "adiabat/recon/rounding.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::recon {
namespace {

std::vector<float> random_filter(int size, uint64_t seed) {
    Random random(seed);
    std::vector<float> filter(static_cast<size_t>(size));
    for (float& w : filter) w = static_cast<float>(0.05 * random.normal());
    return filter;
}

// The naive twin: codes by std::nearbyint, the error in double, the scale by a fine scan.
double error_naively(const std::vector<float>& filter, double scale, int bits) {
    double sum = 0;
    for (float w : filter) {
        const double code = std::clamp<double>(std::nearbyint(static_cast<double>(w) / scale),
                                               lowest_code(bits), highest_code(bits));
        sum += (w - scale * code) * (w - scale * code);
    }
    return sum;
}

double largest_of(const std::vector<float>& filter) {
    double largest = 0;
    for (float w : filter) largest = std::max(largest, std::abs(static_cast<double>(w)));
    return largest;
}

TEST(Rounding, ScaleIsAboutAsGoodAsAFineScan) {
    for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
        for (uint64_t seed = 0; seed < 20; ++seed) {
            const auto filter = random_filter(144 + 16 * static_cast<int>(seed), seed);
            double least = 1e9;
            for (int step = 1; step <= 1000; ++step) {
                const double scale =
                    1.3 * step / 1000 * largest_of(filter) / (highest_code(bits) + 0.5);
                least = std::min(least, error_naively(filter, scale, bits));
            }
            const float scale = best_scale(filter, bits);
            const double error = squared_rounding_error(filter, scale, bits);
            EXPECT_LE(error, 1.08 * least) << bits << " bits, seed " << seed;
            EXPECT_NEAR(error, error_naively(filter, static_cast<double>(scale), bits),
                        1e-3 * error + 1e-9);
        }
    }
}

TEST(Rounding, IsNeverWorseThanPlainRounding) {
    for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
        for (uint64_t seed = 0; seed < 100; ++seed) {
            const auto filter = random_filter(1 + static_cast<int>(seed), seed);
            const double plain = largest_of(filter) / std::max(1, highest_code(bits));
            EXPECT_LE(squared_rounding_error(filter, best_scale(filter, bits), bits),
                      1.001 * error_naively(filter, plain, bits) + 1e-12);
        }
    }
}

TEST(Rounding, CodesAreTheNearestAndStayInRange) {
    for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
        const auto filter = random_filter(500, 7);
        const float scale = best_scale(filter, bits);
        std::vector<int8_t> codes(filter.size());
        round_to_codes(filter, scale, bits, codes);
        for (size_t k = 0; k < filter.size(); ++k) {
            const double here = std::abs(filter[k] - scale * codes[k]);
            for (int other = lowest_code(bits); other <= highest_code(bits); ++other) {
                EXPECT_LE(here, std::abs(filter[k] - scale * static_cast<float>(other)) + 1e-6);
            }
        }
    }
}

TEST(Rounding, MoreBitsNeverHurt) {
    const auto filter = random_filter(144, 3);
    double before = 1e9;
    for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
        const double error = squared_rounding_error(filter, best_scale(filter, bits), bits);
        EXPECT_LT(error, before);
        before = error;
    }
}

TEST(Rounding, TakesFiltersOfZerosAndOfOneWeight) {
    EXPECT_EQ(best_scale(std::vector<float>(9, 0.0f), 4), 1.0f);
    const std::vector<float> one = {-0.25f};
    EXPECT_NEAR(squared_rounding_error(one, best_scale(one, 2), 2), 0, 1e-4);
}

}  // namespace
}  // namespace adiabat::recon
