// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which images measure effects and which judge: drawn once, disjoint, a function of the seed alone.
//
// Fisher-Yates on the rows that it touches: O(wanted) time and memory, whatever is available.
//
// Source: R. Durstenfeld, "Algorithm 235: random permutation" (1964).

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace adiabat::data {

struct CalibrationSplit {
    // Row numbers, ascending in each part.
    std::vector<int64_t> sensing, judging;

    bool operator==(const CalibrationSplit&) const = default;
};

// Draws `wanted` different rows of 0 .. available - 1 (all of them where more are wanted than there
// are) and gives `judging_share` of them, rounded, at least one and not all, to judging. Throws
// InputError where fewer than two are wanted, available or usable, or the share is not between 0
// and 1.
//
// `broken`, where given, is asked for those of the rows drawn that cannot be used; for them others
// are drawn on, and asked for, until there are enough or no more. Where it finds none the draw is
// as without it.
using FindBroken = std::function<std::vector<int64_t>(std::span<const int64_t> rows)>;
CalibrationSplit draw_split(int64_t available, int64_t wanted, double judging_share, uint64_t seed,
                            const FindBroken& broken = nullptr);

}  // namespace adiabat::data
