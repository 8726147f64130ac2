// SPDX-License-Identifier: Apache-2.0
#pragma once

// What all Metropolis walks here share: the acceptance rule, which random number decides which
// proposal, and the range of temperatures that suits a problem.
//
// A proposal that changes the energy by dE is accepted where u < exp(-beta dE), u = (w + 1/2) /
// 2^32 with w a Philox word that is a function of (seed, replica, sweep, variable) alone. The same
// word decides whatever the order of the work; std::exp may differ in its last bit between C
// libraries, which changes a decision once in 2^53 proposals.
//
// Source: N. Metropolis, A. Rosenbluth, M. Rosenbluth, A. Teller, E. Teller (1953).

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

// The smallest u is 2^-33 > exp(-23): no proposal with beta dE above this is ever accepted, so that
// it needs no random number.
inline constexpr double kMostUphill = 23.0;

inline double uniform_of(uint32_t word) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

// The rule itself; `uphill` is beta dE.
inline bool accepts(double uphill, uint32_t word) {
    return uphill <= 0 || (uphill <= kMostUphill && uniform_of(word) < std::exp(-uphill));
}

// The same decision with fewer exponentials: exp(y) > 1 + y + y^2/2 + y^3/6 rejects, exp(-y) > 1 -
// y accepts (the margins are wider than rounding).
inline bool accepts_quickly(double uphill, uint32_t word) {
    if (uphill <= 0) return true;
    const double y = uphill, u = uniform_of(word);
    if (u * (1 + y * (1 + y * (0.5 + y * (1.0 / 6)))) > 1 + 1e-9) return false;
    if (u < 1 - y - 1e-9) return true;
    return accepts(uphill, word);
}

// One stream for each use of one seed.
inline constexpr uint32_t kProposalStream = 0x5A01, kInitialStream = 0x5A02;

// The words that decide on variables 4 group .. 4 group + 3.
inline std::array<uint32_t, 4> proposal_words(uint64_t seed, uint32_t replica, uint32_t sweep,
                                              uint32_t group) {
    return philox({group, sweep, replica, kProposalStream},
                  {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
}

// Where replica `replica` starts unless it is told: every assignment with the same probability.
std::vector<uint8_t> random_start(int variables, uint64_t seed, uint32_t replica);

struct BetaRange {
    double min = 1;  // hot
    double max = 1;  // cold

    bool operator==(const BetaRange&) const = default;
};

// A range from the problem's own scales. Under random neighbors flipping x_i changes the energy by
// m_i +- sd_i, m_i = h_i + sum_j J_ij / 2, sd_i^2 = sum_j J_ij^2 / 4; t_i = sqrt(m_i^2 + sd_i^2) is
// its typical size. Hot: the largest t_i is accepted with 1/2. Cold: the smallest step that a
// variable knows (its smallest nonzero coefficient, but at least t_i / 32: finer differences are
// for a descent at the end) is accepted with 1/100, for the variable where it is smallest. O(n^2).
BetaRange natural_range(const qubo::Dense& problem);

// beta of sweep k of `sweeps`, geometric from range.min to range.max; range.max where there is one
// sweep.
double beta_at(const BetaRange& range, int64_t sweep, int64_t sweeps);

}  // namespace adiabat::anneal
