// SPDX-License-Identifier: Apache-2.0
#pragma once

// A stretch of tabu search: from where the moves stand until nothing lower came for `stall` flips.
// What tabu search repeats from perturbed states, memetic search from crossed ones.

#include <cstdint>
#include <vector>

#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/tabu_moves.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

struct TabuSettings {
    int64_t stall = 0;
    int tenure = 0, spread = 0;  // a flipped variable stays for tenure to tenure + spread flips

    // Of n variables: the tenure given, or min(20 + n / 100, 200, n / 4), and up to half as much
    // again; one variable at least is always free.
    static TabuSettings usual(const OptionValues& options, int variables);
};

// Of a read with restarts.
struct TabuPlan {
    int64_t iterations = 0;
    TabuSettings settings;
    size_t elite = 0;  // states that restarts choose from
};

class TabuRun {
  public:
    TabuRun(TabuMoves& moves, const TabuSettings& settings, Random& random, Pace& pace)
        : moves_(moves), settings_(settings), random_(random), pace_(pace) {}

    // Flips until the stall, or for `most` flips; false where the watch is over or they are used
    // up. A tabu variable may flip where that leads below `aspiration` (an energy).
    bool until_stall(int64_t most, double aspiration, double tolerance);

    // The lowest state of the last stretch.
    const std::vector<uint8_t>& lowest_x() const { return lowest_x_; }
    double lowest() const { return lowest_; }
    int64_t flips() const { return flips_; }  // of all stretches

  private:
    TabuMoves& moves_;
    const TabuSettings& settings_;
    Random& random_;
    Pace& pace_;
    std::vector<uint8_t> lowest_x_;
    double lowest_ = 0;
    int64_t flips_ = 0;
};

}  // namespace adiabat::anneal
