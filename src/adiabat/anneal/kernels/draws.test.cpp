// SPDX-License-Identifier: Apache-2.0
//
// The vector draws equal the scalar ones to the bit on every instruction set that the machine has.
#include "adiabat/anneal/kernels/draws.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "adiabat/anneal/kernels/draws.test.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h.
#include "adiabat/anneal/kernels/draws-inl.h"

HWY_BEFORE_NAMESPACE();
namespace adiabat::anneal::HWY_NAMESPACE {

// Words and thresholds of `count` replicas at one (sweep, group), through vectors.
void draw_all(uint32_t count, uint32_t sweep, uint32_t group, uint64_t seed, uint32_t* words,
              float* found) {
#if HWY_TARGET == HWY_SCALAR
    for (uint32_t r = 0; r < count; ++r) {
        const auto drawn = anneal::draw_words(seed, r, sweep, group);
        for (size_t j = 0; j < 4; ++j) {
            words[j * count + r] = drawn[j];
            found[j * count + r] = threshold_of(drawn[j]);
        }
    }
#else
    const hn::ScalableTag<uint32_t> d;
    const hn::Rebind<float, decltype(d)> df;
    const size_t lanes = hn::Lanes(d);
    for (uint32_t r = 0; r < count; r += static_cast<uint32_t>(lanes)) {
        const auto drawn =
            draw_words(d, hn::Set(d, group), hn::Set(d, sweep), hn::Iota(d, r), seed);
        for (size_t j = 0; j < 4; ++j) {
            hn::StoreU(drawn.w[j], d, words + j * count + r);
            hn::StoreU(thresholds(d, drawn.w[j]), df, found + j * count + r);
        }
    }
#endif
}

}  // namespace adiabat::anneal::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace adiabat::anneal {
namespace {

HWY_EXPORT(draw_all);

TEST(Draws, ThresholdIsTheLogarithm) {
    for (const uint32_t word : {0u, 1u, 2u, 0xFFFFFFFFu, 0x80000000u, 0x7FFFFFFFu, 12345678u}) {
        const double u = (static_cast<double>(word >> 1) + 0.5) * 0x1p-31;
        const double exact = -std::log(u);
        EXPECT_NEAR(threshold_of(word), exact, 3e-6 * exact + 2e-7) << word;
    }
    EXPECT_LT(threshold_of(0), kMostThreshold);
    EXPECT_GE(threshold_of(0xFFFFFFFFu), 0.0f);
}

TEST(Draws, MeanAndVarianceAreThoseOfAnExponential) {
    double sum = 0, squares = 0;
    constexpr int kBlocks = 50000;
    for (uint32_t sweep = 0; sweep < kBlocks; ++sweep) {
        for (const uint32_t word : draw_words(7, 3, sweep, 1)) {
            const double t = threshold_of(word);
            sum += t;
            squares += t * t;
        }
    }
    constexpr double kCount = 4.0 * kBlocks;
    EXPECT_NEAR(sum / kCount, 1, 5 / std::sqrt(kCount));
    EXPECT_NEAR(squares / kCount, 2, 5 * std::sqrt(20 / kCount));
}

TEST(Draws, ThresholdsFromTheLargestDownAreExponential) {
    // Mean and variance of all, and how often a variable has the largest: 1 in kGroup each.
    double sum = 0, squares = 0;
    std::vector<int> largest(kGroup, 0);
    constexpr uint32_t kGroups = 20000;
    for (uint32_t sweep = 0; sweep < kGroups; ++sweep) {
        const GroupDraw group = draw_group(5, 2, sweep, 0);
        ++largest[group.argmax];
        for (size_t k = 0; k < kGroup; ++k) {
            const uint32_t word = draw_words(5, 2, sweep, static_cast<uint32_t>(k / 4))[k % 4];
            const float t = k == group.argmax ? group.most : threshold_below(word, group.share);
            EXPECT_LE(t, group.most * 1.00001f + 1e-6f);
            sum += t;
            squares += double{t} * t;
        }
    }
    constexpr double kCount = double{kGroups} * kGroup;
    EXPECT_NEAR(sum / kCount, 1, 5 / std::sqrt(kCount));
    EXPECT_NEAR(squares / kCount, 2, 5 * std::sqrt(20 / kCount));
    constexpr double kExpected = double{kGroups} / kGroup;
    for (const int count : largest) EXPECT_NEAR(count, kExpected, 5 * std::sqrt(kExpected));
}

TEST(Draws, EveryInstructionSetGivesTheSameBits) {
    constexpr uint32_t kReplicas = 64;
    std::vector<uint32_t> words(4 * kReplicas);
    std::vector<float> found(4 * kReplicas);
    for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        for (uint32_t sweep = 0; sweep < 50; ++sweep) {
            const uint64_t seed = 0x123456789ABCDEFull * sweep;
            HWY_DYNAMIC_DISPATCH(draw_all)
            (kReplicas, sweep, 1000 + sweep, seed, words.data(), found.data());
            for (uint32_t r = 0; r < kReplicas; ++r) {
                const auto expected = draw_words(seed, r, sweep, 1000 + sweep);
                for (uint32_t j = 0; j < 4; ++j) {
                    ASSERT_EQ(words[j * kReplicas + r], expected[j]) << hwy::TargetName(target);
                    ASSERT_EQ(found[j * kReplicas + r], threshold_of(expected[j]))
                        << hwy::TargetName(target);
                }
            }
        }
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace
}  // namespace adiabat::anneal
#endif
