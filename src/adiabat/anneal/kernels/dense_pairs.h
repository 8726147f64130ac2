// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pair moves of one replica of a dense problem, each the best of n by a heat bath.
//
// Variable i, drawn among all n for each move, is flipped whatever it costs; then one of all n
// variables, i itself among them, is flipped back to thermal balance: j with probability
// proportional to exp(-beta E(x')), x' the state after both flips. The way back from x' passes the
// same intermediate state if it begins at j, which is as probable as that the way there began at i,
// and chooses among the same n neighbors: detailed balance holds. It would not for first variables
// in their order. One move weighs n pairs for the price of two rows, O(n), where a random pair
// would be tried one at a time: the move for problems whose terms nearly cancel (Gram matrices,
// squared budgets).
//
// The choice is made by the smallest beta d_j + ln t_j, t_j exponential (the Gumbel trick), drawn
// for groups that have a candidate within kPairRange / beta of the lowest. The same bits on every
// instruction set; pair_move_naive is the twin.

#include <algorithm>
#include <array>
#include <cstdint>

#include "adiabat/anneal/kernels/dense_rows.h"
#include "adiabat/anneal/kernels/draws.h"

namespace adiabat::anneal {

inline constexpr uint32_t kPairStream = 0x5A06, kFirstOfPairStream = 0x5A0B;
// Probability e^-25 and less is taken for none; ln t is within -23 .. 3.2.
inline constexpr float kPairRange = 25.0f;

// Which of the pair moves of a sweep; it keys the draws.
struct PairDraw {
    uint64_t seed = 0;
    uint32_t sweep = 0, replica = 0, number = 0;
};

// The variable that the move begins at.
inline size_t first_of_pair(const PairDraw& draw, int variables) {
    const auto words = philox<kDrawRounds>(
        {draw.number, draw.sweep, draw.replica, kFirstOfPairStream},
        {static_cast<uint32_t>(draw.seed), static_cast<uint32_t>(draw.seed >> 32)});
    return static_cast<size_t>(uint64_t{words[0]} * static_cast<uint64_t>(variables) >> 32);
}

// The words that decide on variables 4 group .. 4 group + 3 as the second of a pair.
inline std::array<uint32_t, 4> pair_words(const PairDraw& draw, uint32_t group) {
    return philox<kDrawRounds>(
        {group, draw.sweep, draw.replica ^ kPairStream << 16, draw.number},
        {static_cast<uint32_t>(draw.seed) ^ kPairStream, static_cast<uint32_t>(draw.seed >> 32)});
}

// Finite at zero temperature too.
inline float t_per_unit_of(float units_per_t) { return std::min(1.0f / units_per_t, 1e28f); }

// Changes at and above this are no candidates.
template <typename Int>
inline int32_t pair_limit(int32_t lowest, float units_per_t) {
    const float range = std::min(kPairRange * units_per_t, static_cast<float>(kMostField<Int>));
    return std::min(lowest + static_cast<int32_t>(range) + 1, int32_t{kMostField<Int>} + 1);
}

// What two flips, of a and b after another, do to everything but signs and fields.
template <typename Int>
inline void note_pair(DenseReplica<Int>& replica, size_t size, size_t a, size_t b, int64_t change) {
    if (a == b) return;
    if (replica.at_best && change >= 0) {
        for (size_t k = 0; k < size / 64; ++k) replica.best_bits[k] = replica.bits[k];
        replica.at_best = false;
    }
    replica.bits[a / 64] ^= uint64_t{1} << (a % 64);
    replica.bits[b / 64] ^= uint64_t{1} << (b % 64);
    replica.flips += 2;
    replica.energy += change;
    if (replica.energy < replica.best_energy) {
        replica.best_energy = replica.energy;
        replica.at_best = true;
    }
}

// `first`: first_of_pair.
template <typename Int>
void pair_move(const DenseRows<Int>& rows, DenseReplica<Int>& replica, float units_per_t,
               const PairDraw& draw, size_t first);

template <typename Int>
void pair_move_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica, float units_per_t,
                     const PairDraw& draw, size_t first);

}  // namespace adiabat::anneal
