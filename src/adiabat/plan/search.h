// SPDX-License-Identifier: Apache-2.0
#pragma once

// Search that never leaves the budgets: annealing and descent over plans, with exact energies and
// exact costs.
//
// Near an exact budget almost every step that lowers the energy breaks the budget. A move of the
// annealing is therefore one of
//   swap      a cut group against a kept one of the same family: no cost changes
//   exchange  up to two steps that save and up to three that spend, at different places
//   spend, save   one step alone: a bit step, or groups cut or revived
// It is judged by Metropolis' rule first and by the exact cost (remembered, wall.h) only where it
// would be accepted. The temperature falls geometrically from kHot to kCold times the median size
// of the energy changes of single steps and swaps at the start: the problem's own scale. O(flips^2)
// a move, O(n) one that is accepted.
//
// The descent makes the best step, swap or pair of steps until none lowers the energy: all of them
// in problems of at most kAllPairs variables; in larger ones with the best few groups of each
// family, so that a round takes O(n) fields and O(places^2) couplings.

#include <cstdint>
#include <vector>

#include "adiabat/base/stop.h"
#include "adiabat/plan/wall.h"

namespace adiabat::plan {

inline constexpr int kAllPairs = 2000;

struct Found {
    Plan plan;
    double energy = 0;
};

// The best plans found, lowest first, any two of which differ in a width or in at least `apart`
// groups.
class Pool {
  public:
    Pool(size_t keep, int64_t apart) : keep_(keep), apart_(apart) {}

    // Whether a plan of that energy could get in.
    bool wants(double energy) const {
        return found_.size() < keep_ || energy < found_.back().energy;
    }
    void offer(const Plan& plan, double energy);
    const std::vector<Found>& found() const { return found_; }

  private:
    bool are_close(const Plan& a, const Plan& b) const;

    size_t keep_;
    int64_t apart_;
    std::vector<Found> found_;
};

struct SearchCounts {
    int64_t proposals = 0, flips = 0;  // flips: accepted
};

// Anneals from a plan that keeps the budgets; offers the start and what is low. A function of its
// arguments alone. Returns early when stopped.
SearchCounts anneal_within(State& state, Wall& wall, int64_t moves, Random random, Pool& pool,
                           const StopToken& stop = {});

// Descends from a plan that keeps the budgets.
void polish(State& state, Wall& wall, const StopToken& stop = {});

// Saves, step by step, what costs the least energy for what it saves of the budgets that are broken,
// until all are kept; false where no step saves any more, or where it is stopped.
bool reach_budgets(State& state, Wall& wall, const StopToken& stop = {});

}  // namespace adiabat::plan
