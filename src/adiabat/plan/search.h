// SPDX-License-Identifier: Apache-2.0
#pragma once

// Search under exact budgets: annealing and descent over plans, with exact energies and exact
// costs.
//
// Near an exact budget almost every step that lowers the energy breaks the budget, and most plans
// between two good ones break it a little. A walk therefore may cross the edge, for a price,
//
//   H = E + sum_k lambda_k max(0, cost_k / limit_k - 1),
//
// and only plans that keep every budget to the last byte are kept. lambda_k begins at what saving
// costs at the start (energy for relative cost, the first quartile of all steps) and follows the
// walk: up while it is outside for more than half of the time, else down (strategic oscillation: F.
// Glover, 1977). Moves are
//   swap      a cut group against a kept one of the same family: no cost changes
//   step      bits up or down, groups cut or revived as alignment has it, or a branch
//   exchange  one or two steps that save and as many that spend, at different places
// judged by Metropolis' rule; the exact cost (remembered, wall.h) is asked for only where the
// energy would let the move pass. The temperature falls geometrically to 0.001 times the median
// size of the energy changes of single steps and swaps at the start: the problem's own scale. A
// walk does this once a cycle (kCycles: four, from 1, 0.1, 0.03 and 0.01 times that size), each
// time from the best plan so far, and descends from what it finds. O(flips^2) a move, O(n) one that
// is accepted.
//
// The descent never leaves the budgets: the best step or swap, where there is none the best pair of
// steps, until none lowers the energy: all of them in problems of at most kAllPairs variables; in
// larger ones with the best few groups of each family, so that a round takes O(n) fields and
// O(places^2) couplings. There a branch is a move of a thousand flips, and only goes or comes back
// in the greedy start and as a single step of the descent.

#include <cstdint>
#include <span>
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

// How hot each cycle of a walk begins, in sizes of energy changes. Hot ones find other valleys,
// those after them search theirs.
inline constexpr double kCycles[] = {1, 0.1, 0.03, 0.01};

// Anneals from a plan that keeps the budgets to the best that it finds, which keeps them too and is
// no higher; offers that and others. `moves` are shared by the cycles, of which there is one at
// least. A function of its arguments alone. Returns early when stopped.
SearchCounts anneal_within(State& state, Wall& wall, int64_t moves, Random random, Pool& pool,
                           const StopToken& stop = {}, std::span<const double> cycles = kCycles);

// Descends from a plan that keeps the budgets.
void polish(State& state, Wall& wall, const StopToken& stop = {});

// Saves, step by step, what costs the least energy for what it saves of the budgets that are
// broken, until all are kept; false where no step saves any more, or where it is stopped.
bool reach_budgets(State& state, Wall& wall, const StopToken& stop = {});

}  // namespace adiabat::plan
