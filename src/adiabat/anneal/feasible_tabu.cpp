// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/feasible_tabu.h"

#include <algorithm>
#include <vector>

#include "adiabat/anneal/elite.h"
#include "adiabat/anneal/feasible_moves.h"

namespace adiabat::anneal {

namespace {

class Search {
  public:
    Search(const Task& task, const TabuPlan& plan, Random& random, int number)
        : plan_(plan),
          tolerance_(tolerance_of(task)),
          moves_(task.problem, start_of(task, number)),
          random_(random),
          elite_(plan.elite),
          best_(task, tolerance_),
          pace_(task.watch) {}

    Tally run(Read& read) {
        while (until_stall()) restart();
        read = best_.read(moves_.x());
        return tally_;
    }

  private:
    // Moves until nothing lower came for a while; false where the watch is over, the iterations are
    // used up or the constraints allow no move at all.
    bool until_stall() {
        bool going_on = true;
        lowest_ = moves_.energy();
        lowest_x_.assign(moves_.x().begin(), moves_.x().end());
        for (int64_t since = 0; since < plan_.settings.stall; ++iteration_) {
            going_on = iteration_ < plan_.iterations && !pace_.over(moves_.work(kSwapWidth));
            if (!going_on) break;
            if (!move()) {
                going_on = false;
                break;
            }
            if (moves_.energy() < lowest_ - tolerance_) {
                lowest_ = moves_.energy();
                lowest_x_.assign(moves_.x().begin(), moves_.x().end());
                since = 0;
            } else {
                ++since;
            }
        }
        best_.consider(lowest_x_, lowest_);
        elite_.offer(lowest_x_, lowest_);
        return going_on;
    }

    bool move() {
        const double energy = moves_.energy();
        const double below = std::min({best_.energy(), lowest_, energy}) - tolerance_ - energy;
        const FeasibleMove move = moves_.best(kSwapWidth, iteration_ + 1, below, random_());
        if (!move.exists()) return false;
        const int64_t extra = random_.below(static_cast<uint32_t>(plan_.settings.spread) + 1);
        moves_.make(move, iteration_ + 2 + plan_.settings.tenure + extra);
        tally_.proposals += static_cast<int64_t>(moves_.x().size());
        tally_.flips += move.second < 0 ? 1 : 2;
        ++tally_.sweeps;
        return true;
    }

    void restart() {
        moves_.set(elite_.any(random_));
        const auto n = static_cast<uint32_t>(moves_.x().size());
        const uint32_t least = std::min(10u, (n + 3) / 4), most = std::max(least, n / 4);
        moves_.shake(static_cast<int>(least + random_.below(most - least + 1)), random_);
    }

    const TabuPlan& plan_;
    double tolerance_;
    FeasibleMoves moves_;
    Random& random_;
    Elite elite_;
    Incumbent best_;
    Pace pace_;
    Tally tally_;
    std::vector<uint8_t> lowest_x_;
    double lowest_ = 0;
    int64_t iteration_ = 0;
};

}  // namespace

Tally feasible_tabu(const Task& task, const TabuPlan& plan, Random& random, int number,
                    Read& read) {
    return Search(task, plan, random, number).run(read);
}

}  // namespace adiabat::anneal
