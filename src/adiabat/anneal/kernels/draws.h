// SPDX-License-Identifier: Apache-2.0
#pragma once

// The random numbers of Metropolis walks: which word decides which proposal, and the threshold it
// means.
//
// Proposal (replica, sweep, variable) takes word variable % 4 of the Philox4x32-7 block with counter
// (variable / 4, sweep, replica, kProposalStream) and key the seed. It is accepted where
// beta dE < t, t = -ln u with u = (w + 1/2) / 2^32: the same as u < exp(-beta dE), with one
// logarithm a proposal instead of an exponential, and nothing to compute where beta dE is above
// every t. t is a float computed by multiplications and additions in one order, so that vectors of
// any width and this scalar twin give the same bits; its relative error is about 1e-6.
//
// Sources: N. Metropolis et al. (1953); J. Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3" (2011): seven rounds pass BigCrush.

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

// t of a word.
inline float threshold_of(uint32_t word) {
    // 31 bits fit a signed conversion; u rounds to float, to 1 at most.
    const float u = (static_cast<float>(static_cast<int32_t>(word >> 1)) + 0.5f) * 0x1p-31f;
    const uint32_t bits = std::bit_cast<uint32_t>(u) - kSqrtHalfBits;
    const auto exponent = static_cast<float>(static_cast<int32_t>(bits) >> 23);
    const float f = std::bit_cast<float>((bits & 0x007FFFFFu) + kSqrtHalfBits) - 1.0f;
    float quotient = kLogCoefficients[6];
    for (int k = 5; k >= 0; --k) quotient = quotient * f + kLogCoefficients[static_cast<size_t>(k)];
    return 0.0f - (quotient * f + exponent * kLn2);
}

}  // namespace adiabat::anneal
