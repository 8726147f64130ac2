// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/alternatives.h"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace adiabat::plan {

namespace {

constexpr int kFew = 8;

using Kind = Alternative::Kind;

class Neighborhood {
  public:
    Neighborhood(State& state, Wall& wall, size_t keep)
        : state_(state),
          wall_(wall),
          keep_(keep),
          is_large_(state.hamiltonian().encoding.variables > kAllPairs),
          steps_(all_steps(state)) {}

    std::vector<Alternative> explore() {
        for (size_t family : state_.families()) try_swaps(family);
        for (const Step& step : steps_) {
            move_.clear();
            if (add_step(move_, step)) offer(Kind::kStep);
        }
        try_exchanges();
        std::vector<Alternative> all;
        for (auto& list : found_) {
            std::move(list.begin(), list.end(), std::back_inserter(all));
        }
        std::stable_sort(all.begin(), all.end(), is_lower);
        return all;
    }

  private:
    // The state's, and those to all other widths of a layer.
    static std::vector<Step> all_steps(const State& state) {
        std::vector<Step> steps = state.steps();
        for (const Step& step : state.steps()) {
            if (step.place != Place::kLayer) continue;
            const auto& words = state.hamiltonian().encoding.layers[step.index];
            for (int times = 2; times < std::ssize(Encoding::widths(words)); ++times) {
                steps.push_back({step.place, step.index, step.saves, times});
            }
        }
        return steps;
    }

    // As State::add_step, but false too where the place ends before the step does.
    bool add_step(Move& move, const Step& step) const {
        if (!state_.add_step(move, step, {})) return false;
        if (step.place != Place::kLayer) return true;
        return std::abs(move.changes.back().to - move.changes.back().from) == step.times;
    }

    static bool is_lower(const Alternative& a, const Alternative& b) {
        return a.move.energy < b.move.energy;
    }

    void offer(Kind kind) {
        auto& list = found_[static_cast<size_t>(kind)];
        if (list.size() == keep_ && (keep_ == 0 || move_.energy >= list.back().move.energy)) return;
        if (!wall_.keeps(state_, move_)) return;
        if (list.size() == keep_) list.pop_back();
        const Alternative found{kind, move_, wall_.costs(state_.shape_after(move_))};
        list.insert(std::upper_bound(list.begin(), list.end(), found, is_lower), found);
    }

    void try_swaps(size_t family) {
        const int most = is_large_ ? kFew : kAllGroups;
        if (is_large_) state_.prefer(family, kFew);
        const auto few = [&](std::span<const int> variables) {
            return variables.first(std::min(variables.size(), static_cast<size_t>(most)));
        };
        for (int leaves : few(state_.kept_variables(family))) {
            for (int returns : few(state_.cut_variables(family))) {
                move_.clear();
                state_.add_flip(move_, leaves);
                state_.add_flip(move_, returns);
                offer(Kind::kSwap);
            }
        }
    }

    // Branches as in the descent (search.h).
    bool is_alone(const Step& step) const {
        return is_large_ && (step.place == Place::kBranch || step.times > 1);
    }

    void try_exchanges() {
        Move saving;
        for (const Step& saves : steps_) {
            saving.clear();
            if (!saves.saves || is_alone(saves) || !add_step(saving, saves)) continue;
            for (const Step& spends : steps_) {
                if (spends.saves || is_alone(spends)) continue;
                move_ = saving;
                if (add_step(move_, spends)) offer(Kind::kExchange);
            }
        }
    }

    State& state_;
    Wall& wall_;
    size_t keep_;
    bool is_large_;
    std::vector<Step> steps_;
    Move move_;
    std::array<std::vector<Alternative>, 3> found_;
};

}  // namespace

std::vector<Alternative> nearest_alternatives(State& state, Wall& wall, size_t keep) {
    return Neighborhood(state, wall, keep).explore();
}

Plan plan_after(const State& state, const Move& move) {
    Plan plan = state.plan();
    const Encoding& encoding = state.hamiltonian().encoding;
    std::vector<uint8_t> x(state.x().begin(), state.x().end());
    for (int variable : move.flips) x[static_cast<size_t>(variable)] ^= 1;
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        const auto first = x.begin() + encoding.first_cut[f];
        std::copy(first, first + std::ssize(plan.cut[f]), plan.cut[f].begin());
    }
    for (const Move::Change& change : move.changes) {
        if (change.place != Place::kLayer) continue;
        const auto widths = Encoding::widths(encoding.layers[change.index]);
        plan.bits[change.index] = widths[static_cast<size_t>(change.to)].bits;
    }
    for (const Move::Change& change : move.changes) {
        if (change.place == Place::kBranch && change.to != 0)
            drop(state.network(), plan, change.index);
    }
    return plan;
}

}  // namespace adiabat::plan
