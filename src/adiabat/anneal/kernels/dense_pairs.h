// SPDX-License-Identifier: Apache-2.0
#pragma once

// Pair moves of one replica of a dense problem, each the best of n by a heat bath.
//
// Variable i is flipped whatever it costs; then one of all n variables, i itself among them, is
// flipped back to thermal balance: j with probability proportional to exp(-beta E(x')), x' the
// state after both flips. From x' the same intermediate state is reached by flipping j first, and
// the choice among its n neighbors is the same: detailed balance holds. One move weighs n pairs for
// the price of two rows, O(n), where a random pair would be tried one at a time: the move for
// problems whose terms nearly cancel (Gram matrices, squared budgets).
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

inline constexpr uint32_t kPairStream = 0x5A06;
// Probability e^-25 and less is taken for none; ln t is within -23 .. 3.2.
inline constexpr float kPairRange = 25.0f;

// The words that decide on variables 4 group .. 4 group + 3 as the second of a pair.
inline std::array<uint32_t, 4> pair_words(uint32_t group, uint32_t sweep, uint32_t replica,
                                          uint32_t variable, uint64_t seed) {
    return philox<kDrawRounds>(
        {group, sweep, replica ^ kPairStream << 16, variable},
        {static_cast<uint32_t>(seed) ^ kPairStream, static_cast<uint32_t>(seed >> 32)});
}

// Finite at zero temperature too.
inline float t_per_unit_of(const DenseDrive& drive) {
    return std::min(1.0f / drive.units_per_t, 1e28f);
}

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

template <typename Int>
void pair_move(const DenseRows<Int>& rows, DenseReplica<Int>& replica, const DenseDrive& drive,
               uint64_t seed, uint32_t sweep, size_t variable);

template <typename Int>
void pair_move_naive(const DenseRows<Int>& rows, DenseReplica<Int>& replica,
                     const DenseDrive& drive, uint64_t seed, uint32_t sweep, size_t variable);

}  // namespace adiabat::anneal
