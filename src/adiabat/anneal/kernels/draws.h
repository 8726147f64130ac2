// SPDX-License-Identifier: Apache-2.0
#pragma once

// The random numbers of Metropolis walks: which word decides which proposal, and the threshold it
// means.
//
// Proposal (replica, sweep, variable) takes word variable % 4 of the Philox4x32-7 block with
// counter (variable / 4, sweep, replica, kProposalStream) and key the seed. It is accepted where
// beta dE < t, t = -ln u with u = (w + 1/2) / 2^32: the same as u < exp(-beta dE), with one
// logarithm a proposal instead of an exponential, and nothing to compute where beta dE is above
// every t. t is a float computed by multiplications and additions in one order, so that vectors of
// any width and this scalar twin give the same bits; its relative error is about 1e-6.
//
// Sources: N. Metropolis et al. (1953); J. Salmon et al., "Parallel random numbers: as easy as 1,
// 2, 3" (2011): seven rounds pass BigCrush.

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "adiabat/base/random.h"

namespace adiabat::anneal {

inline constexpr uint32_t kProposalStream = 0x5A01;
inline constexpr int kDrawRounds = 7;

// No t is as large as this: -ln(2^-33) = 22.87.
inline constexpr float kMostThreshold = 23.0f;

// ln(1 + f) / f, ascending powers of f, on [sqrt(1/2) - 1, sqrt(2) - 1], Chebyshev.
inline constexpr std::array<float, 7> kLogCoefficients = {
    1.000000964e+00f, -5.000114504e-01f, 3.331467381e-01f, -2.490828918e-01f,
    2.049175965e-01f, -1.868075143e-01f, 1.193105444e-01f};
inline constexpr float kLn2 = 0.693147181f;
inline constexpr uint32_t kSqrtHalfBits = 0x3F3504F3u;  // of sqrt(1/2)

// The words that decide on variables 4 group .. 4 group + 3.
inline std::array<uint32_t, 4> draw_words(uint64_t seed, uint32_t replica, uint32_t sweep,
                                          uint32_t group) {
    return philox<kDrawRounds>({group, sweep, replica, kProposalStream},
                               {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

// The uniform number of a word, in (0, 1]: 31 bits fit a signed conversion; it rounds to float.
inline float uniform_float_of(uint32_t word) {
    return (static_cast<float>(static_cast<int32_t>(word >> 1)) + 0.5f) * 0x1p-31f;
}

// -ln u for a normal number 0 < u <= 1.
inline float negative_log(float u) {
    const uint32_t bits = std::bit_cast<uint32_t>(u) - kSqrtHalfBits;
    const auto exponent = static_cast<float>(static_cast<int32_t>(bits) >> 23);
    const float f = std::bit_cast<float>((bits & 0x007FFFFFu) + kSqrtHalfBits) - 1.0f;
    float quotient = kLogCoefficients[6];
    for (int k = 5; k >= 0; --k) quotient = quotient * f + kLogCoefficients[static_cast<size_t>(k)];
    return 0.0f - (quotient * f + exponent * kLn2);
}

// t of a word.
inline float threshold_of(uint32_t word) { return negative_log(uniform_float_of(word)); }

// The same thresholds drawn from the largest down, for groups of kGroup neighboring variables of
// one replica. The largest of the group comes first, from one word: of kGroup uniform numbers the
// largest is F = U^(1 / kGroup), so t_max = -ln(1 - F), and each variable has it with the same
// probability. Where beta dE of all of them is above t_max, which is about 4.7 and not 23, nothing
// is accepted and no other number is drawn. Else the others follow, given that they are smaller:
// t = -ln(1 - F v), v uniform. Together they are independent exponential numbers, as before.
inline constexpr size_t kGroup = 64;
inline constexpr uint32_t kGroupStream = 0x5A08;

struct GroupDraw {
    float most = 0;     // t_max
    float share = 1;    // F
    size_t argmax = 0;  // which variable of the group has it
};

inline GroupDraw draw_group(uint64_t seed, uint32_t replica, uint32_t sweep, uint32_t group) {
    const auto words =
        philox<kDrawRounds>({group, sweep, replica, kGroupStream},
                            {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
    // 1 - F = 1 - exp(-y), y = -ln(U) / kGroup below 0.36, by its series.
    const float y = threshold_of(words[0]) * (1.0f / static_cast<float>(kGroup));
    float tail = 1.0f - y * (1.0f / 7);
    for (const float k : {6.0f, 5.0f, 4.0f, 3.0f, 2.0f}) tail = 1.0f - y * tail * (1.0f / k);
    const float rest = std::max(y * tail, 0x1p-40f);
    return {negative_log(rest), 1.0f - rest, words[1] >> 26};
}

// t of a variable that has not the largest.
inline float threshold_below(uint32_t word, float share) {
    return negative_log(std::max(1.0f - share * uniform_float_of(word), 0x1p-40f));
}

}  // namespace adiabat::anneal
