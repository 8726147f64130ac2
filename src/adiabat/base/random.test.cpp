// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/random.h"

#include <gtest/gtest.h>

#include <vector>

namespace adiabat {
namespace {

// Known answers of the reference implementation (Random123, kat_vectors, philox4x32 10).
TEST(Random, PhiloxGivesTheKnownAnswers) {
    EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}),
              (std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
    EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
              (std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
    EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
              (std::array<uint32_t, 4>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Random, StreamsDifferAndReplay) {
    Random a(7, 1), again(7, 1), b(7, 2), c(8, 1);
    int same_stream = 0, same_seed = 0;
    for (int k = 0; k < 1000; ++k) {
        const uint32_t word = a();
        EXPECT_EQ(word, again());
        same_stream += word == b();
        same_seed += word == c();
    }
    EXPECT_LE(same_stream + same_seed, 2);
}

TEST(Random, BelowIsUniform) {
    Random random(3);
    constexpr int kBound = 7, kDraws = 70000;
    std::vector<int> count(kBound);
    for (int k = 0; k < kDraws; ++k) ++count[random.below(kBound)];
    double chi = 0;
    constexpr double kExpected = double{kDraws} / kBound;
    for (int n : count) chi += (n - kExpected) * (n - kExpected) / kExpected;
    EXPECT_LT(chi, 27.9);  // chi-square with 6 degrees of freedom, 1e-4
}

TEST(Random, NormalHasItsMoments) {
    Random random(5);
    double sum = 0, squares = 0;
    constexpr int kDraws = 100000;
    for (int k = 0; k < kDraws; ++k) {
        const double x = random.normal();
        sum += x;
        squares += x * x;
    }
    EXPECT_NEAR(sum / kDraws, 0, 0.02);
    EXPECT_NEAR(squares / kDraws, 1, 0.03);
}

}  // namespace
}  // namespace adiabat
