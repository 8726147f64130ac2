// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>

#include "adiabat/plan/search.h"

namespace adiabat::plan {

namespace {

constexpr int kFew = 8;  // groups of a family that are looked at in large problems

// One round: what lowers the energy most.
class Round {
  public:
    Round(State& state, Wall& wall, const StopToken& stop)
        : state_(state),
          wall_(wall),
          stop_(stop),
          is_large_(state.hamiltonian().encoding.variables > kAllPairs) {
        for (size_t f : state.families()) {
            few_.push_back(is_large_
                               ? std::max(kFew, static_cast<int>(2 * state.network().group_step(f)))
                               : kAllGroups);
            if (is_large_) state.prefer(f, few_.back());
        }
        most_ = few_.empty() ? kAllGroups : *std::max_element(few_.begin(), few_.end());
        best_.energy = -1e-12 * std::abs(state.energy());
    }

    // The best single step or swap, and only where there is none the best pair. No flips: none.
    const Move& best() {
        for (const Step& step : state_.steps()) {
            move_.clear();
            if (state_.add_step(move_, step, {nullptr, most_})) offer();
        }
        for (size_t k = 0; k < few_.size(); ++k) try_swaps(state_.families()[k], few_[k]);
        if (best_.flips.empty()) try_pairs();
        return best_;
    }

  private:
    void offer() {
        if (move_.energy < best_.energy && wall_.keeps(state_, move_)) best_ = move_;
    }

    void try_swaps(size_t family, int few) {
        const auto most = static_cast<size_t>(few);
        const auto kept = state_.kept_variables(family), cut = state_.cut_variables(family);
        for (int leaves : kept.first(std::min(kept.size(), most))) {
            for (int returns : cut.first(std::min(cut.size(), most))) {
                move_.clear();
                state_.add_flip(move_, leaves);
                state_.add_flip(move_, returns);
                offer();
            }
        }
    }

    // Where one spending step breaks a budget, two do: in small problems this is not relied upon.
    bool may_pair(const Step& step) {
        if (!is_large_ || step.saves) return true;
        move_.clear();
        return state_.add_step(move_, step, {nullptr, most_}) && wall_.keeps(state_, move_);
    }

    bool is_alone(const Step& step) const { return is_large_ && step.place == Place::kBranch; }

    void try_pairs() {
        const auto& steps = state_.steps();
        std::vector<uint8_t> alone;
        for (const Step& step : steps) alone.push_back(may_pair(step));
        for (size_t a = 0; a < steps.size(); ++a) {
            if (stop_.requested()) return;
            first_.clear();
            if (is_alone(steps[a]) || !state_.add_step(first_, steps[a], {nullptr, most_}))
                continue;
            for (size_t b = 0; b < steps.size(); ++b) {
                if (is_alone(steps[b])) continue;
                const bool both_spend = !steps[a].saves && !steps[b].saves;
                if (a == b || (both_spend && !(alone[a] && alone[b]))) continue;
                move_ = first_;
                if (state_.add_step(move_, steps[b], {nullptr, most_})) offer();
            }
        }
    }

    State& state_;
    Wall& wall_;
    const StopToken& stop_;
    bool is_large_;
    std::vector<int> few_;  // one a family of state_.families()
    int most_ = kAllGroups;
    Move move_, first_, best_;
};

}  // namespace

void polish(State& state, Wall& wall, const StopToken& stop) {
    while (!stop.requested()) {
        Round round(state, wall, stop);
        const Move& best = round.best();
        if (best.flips.empty()) break;
        state.make(best);
    }
    state.recompute();
}

}  // namespace adiabat::plan
