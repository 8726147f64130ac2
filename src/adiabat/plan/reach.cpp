// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <queue>

#include "adiabat/plan/search.h"

namespace adiabat::plan {

namespace {

// Large families lose several groups at once, chosen among so many more.
constexpr int64_t kMostAtOnce = 8, kShare = 32;
constexpr int kSpare = 8;

// Greedy with prices that are renewed only for what seems cheapest (M. Minoux, 1978): a price
// changes little from step to step.
class Greedy {
  public:
    Greedy(State& state, Wall& wall) : state_(state), wall_(wall) {}

    bool run(const StopToken& stop) {
        excess_ = excess(state_.shape());
        for (const Step& step : state_.steps()) {
            if (!step.saves) continue;
            Step chunk = step;
            if (step.place == Place::kFamily) {
                const int64_t unit = state_.network().group_step(step.index);
                const int64_t at_once = std::min(kMostAtOnce, state_.groups(step.index) / kShare);
                chunk.times = static_cast<int>(std::max(at_once / unit, int64_t{1}));
            }
            steps_.push_back(chunk);
            queue_.push({price(chunk), 0, steps_.size() - 1});
        }
        int made = 0;
        while (!wall_.keeps(state_.shape())) {
            if (stop.requested() || queue_.empty()) return false;
            Entry entry = queue_.top();
            queue_.pop();
            const double renewed = price(steps_[entry.step]);
            // What saves nothing now is asked again after the next step that does.
            if (renewed == kNone) {
                idle_.push_back(entry.step);
                continue;
            }
            if (entry.made != made && !queue_.empty() && renewed > queue_.top().price) {
                queue_.push({renewed, made, entry.step});
                continue;
            }
            state_.make(move_);
            excess_ = excess(state_.shape());
            ++made;
            queue_.push({renewed, made - 1, entry.step});
            for (size_t step : idle_) queue_.push({price(steps_[step]), made, step});
            idle_.clear();
        }
        return true;
    }

  private:
    static constexpr double kNone = std::numeric_limits<double>::infinity();
    struct Entry {
        double price = 0;
        int made = 0;  // steps made when it was found
        size_t step = 0;

        bool operator<(const Entry& other) const {  // the cheapest on top
            return price != other.price ? price > other.price : step > other.step;
        }
    };

    double excess(const State::Shape& shape) {
        const auto costs = wall_.costs(shape);
        double sum = 0;
        for (size_t k = 0; k < costs.size(); ++k) {
            const double limit = wall_.budgets()[k].unit();
            sum += std::max(0.0, static_cast<double>(costs[k]) / limit - 1);
        }
        return sum;
    }

    // Energy for what the step saves, which then is the move.
    double price(const Step& step) {
        if (step.place == Place::kFamily) {
            const auto need =
                static_cast<int>(state_.network().group_step(step.index)) * step.times;
            state_.prefer(step.index, need + kSpare);
        }
        move_.clear();
        if (!state_.add_step(move_, step, {nullptr, kSpare})) return kNone;
        const double saved = excess_ - excess(state_.shape_after(move_));
        return saved > 0 ? move_.energy / saved : kNone;
    }

    State& state_;
    Wall& wall_;
    double excess_ = 0;
    std::vector<Step> steps_;
    std::priority_queue<Entry> queue_;
    std::vector<size_t> idle_;
    Move move_;
};

}  // namespace

bool reach_budgets(State& state, Wall& wall, const StopToken& stop) {
    return Greedy(state, wall).run(stop);
}

}  // namespace adiabat::plan
