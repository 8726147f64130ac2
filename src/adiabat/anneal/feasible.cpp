// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/feasible.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr int64_t kFlipsBeforeRefresh = 1 << 16;
constexpr uint32_t kRepairStream = 0x5A05;
constexpr double kLeastGain = 1e-12;

// One way to mend an assignment and what it does.
struct Step {
    std::vector<int> variables;
    double gain = 0;                                         // the violation falls by so much
    double price = std::numeric_limits<double>::infinity();  // rise of energy per unit of gain
};

class Mender {
  public:
    Mender(const qubo::Problem& problem, std::span<const uint8_t> x, uint64_t seed, int attempt)
        : state_(problem, x),
          constraints_(problem.constraints, problem.variables()),
          problem_(problem),
          random_(seed, kRepairStream, static_cast<uint32_t>(attempt)) {
        constraints_.set(x);
    }

    bool mend() {
        const int most = 4 * state_.variables() + 16;
        for (int k = 0; k < most && !constraints_.keeps(); ++k) {
            Step best = best_flip();
            if (best.variables.empty()) best = best_pair();
            if (best.variables.empty()) return false;
            apply(best);
        }
        return constraints_.keeps();
    }

    // Leaves where mending was stuck: a few random flips.
    void shake(int flips) {
        for (int k = 0; k < flips; ++k) {
            apply({{static_cast<int>(random_.below(static_cast<uint32_t>(state_.variables())))}});
        }
    }

    std::vector<uint8_t> x() const { return {state_.x().begin(), state_.x().end()}; }

  private:
    void consider(Step& best, std::vector<int> variables, double rise) const {
        const double gain = -constraints_.violation_change(variables);
        if (gain <= kLeastGain) return;
        // What lowers the energy is taken whatever it mends; else the cheapest per unit.
        const double price = rise / gain;
        if (price < best.price) best = {std::move(variables), gain, price};
    }

    Step best_flip() const {
        Step best;
        for (int i = 0; i < state_.variables(); ++i) consider(best, {i}, state_.change(i));
        return best;
    }

    Step best_pair() const {
        Step best;
        for (int i = 0; i < state_.variables(); ++i) {
            if (constraints_.is_free(i)) continue;
            for (int j = 0; j < i; ++j) {
                if (constraints_.is_free(j)) continue;
                consider(best, {i, j}, state_.change(i) + state_.change(j));
            }
        }
        return best;
    }

    void apply(const Step& step) {
        for (const int i : step.variables) {
            state_.flip(i);
            constraints_.flip(i);
        }
    }

    LocalFields state_;
    ConstraintState constraints_;
    const qubo::Problem& problem_;
    Random random_;
};

}  // namespace

ConstraintState::ConstraintState(const qubo::Constraints& constraints, int variables)
    : constraints_(constraints),
      in_budgets_(static_cast<size_t>(variables)),
      groups_of_(static_cast<size_t>(variables)) {
    for (size_t b = 0; b < constraints.budgets.size(); ++b) {
        const qubo::LinearBudget& budget = constraints.budgets[b];
        double largest = 0;
        for (const auto& [i, c] : budget.terms) {
            if (c == 0) continue;
            in_budgets_[static_cast<size_t>(i)].push_back({static_cast<int>(b), c});
            largest = std::max(largest, std::abs(c));
        }
        tolerances_.push_back(budget.tolerance());
        largest_.push_back(largest > 0 ? largest : 1.0);
    }
    for (size_t g = 0; g < constraints.groups.size(); ++g) {
        for (const int i : constraints.groups[g].members)
            groups_of_[static_cast<size_t>(i)].push_back(static_cast<int>(g));
    }
    set(std::vector<uint8_t>(static_cast<size_t>(variables), 0));
}

void ConstraintState::set(std::span<const uint8_t> x) {
    x_.assign(x.begin(), x.end());
    flips_ = 0;
    sums_.clear();
    counts_.clear();
    for (const auto& budget : constraints_.budgets) sums_.push_back(budget.value(x_));
    for (const auto& group : constraints_.groups) {
        counts_.push_back(static_cast<int>(std::ranges::count_if(
            group.members, [&](int i) { return x_[static_cast<size_t>(i)] != 0; })));
    }
}

void ConstraintState::flip(int i) {
    const auto k = static_cast<size_t>(i);
    const bool up = !x_[k];
    x_[k] ^= 1;
    for (const auto& [budget, c] : in_budgets_[k])
        sums_[static_cast<size_t>(budget)] += up ? c : -c;
    for (const int g : groups_of_[k]) counts_[static_cast<size_t>(g)] += up ? 1 : -1;
    if (++flips_ >= kFlipsBeforeRefresh) {
        const std::vector<uint8_t> x = x_;
        set(x);
    }
}

double ConstraintState::excess(size_t budget, double sum) const {
    const double above = sum - constraints_.budgets[budget].upper,
                 below = constraints_.budgets[budget].lower - sum;
    const double out = std::max(above, below);
    return out <= tolerances_[budget] ? 0.0 : out / largest_[budget];
}

double ConstraintState::miscount(size_t group, int set) const {
    if (set > 1) return set - 1;
    return set == 0 && constraints_.groups[group].exactly_one ? 1 : 0;
}

double ConstraintState::violation() const {
    double sum = 0;
    for (size_t b = 0; b < sums_.size(); ++b) sum += excess(b, sums_[b]);
    for (size_t g = 0; g < counts_.size(); ++g) sum += miscount(g, counts_[g]);
    return sum;
}

bool ConstraintState::groups_allow(int i) const {
    const int delta = x_[static_cast<size_t>(i)] ? -1 : 1;
    return std::ranges::all_of(groups_of(i), [&](int group) {
        const auto g = static_cast<size_t>(group);
        return miscount(g, counts_[g] + delta) <= miscount(g, counts_[g]);
    });
}

double ConstraintState::violation_change(std::span<const int> variables) const {
    // Each constraint is treated once, at the first of the variables that it holds; at most a few
    // variables flip together, so that looking through them again is the quickest.
    double change = 0;
    const auto direction = [&](int i) { return x_[static_cast<size_t>(i)] ? -1.0 : 1.0; };
    for (size_t a = 0; a < variables.size(); ++a) {
        const auto first = static_cast<size_t>(variables[a]);
        for (const auto& [budget, c] : in_budgets_[first]) {
            double delta = direction(variables[a]) * c;
            bool seen = false;
            for (size_t b = 0; b < variables.size() && !seen; ++b) {
                if (b == a) continue;
                for (const auto& other : in_budgets_[static_cast<size_t>(variables[b])]) {
                    if (other.budget != budget) continue;
                    seen = b < a;
                    delta += direction(variables[b]) * other.coefficient;
                    break;
                }
            }
            const auto k = static_cast<size_t>(budget);
            if (!seen) change += excess(k, sums_[k] + delta) - excess(k, sums_[k]);
        }
        for (const int group : groups_of_[first]) {
            int delta = x_[first] ? -1 : 1;
            bool seen = false;
            for (size_t b = 0; b < variables.size() && !seen; ++b) {
                if (b == a || std::ranges::find(groups_of(variables[b]), group) ==
                                  groups_of(variables[b]).end())
                    continue;
                seen = b < a;
                delta += x_[static_cast<size_t>(variables[b])] ? -1 : 1;
            }
            const auto k = static_cast<size_t>(group);
            if (!seen) change += miscount(k, counts_[k] + delta) - miscount(k, counts_[k]);
        }
    }
    return change;
}

std::optional<std::vector<uint8_t>> repaired(const qubo::Problem& problem,
                                             std::span<const uint8_t> x, uint64_t seed,
                                             int attempts) {
    if (problem.constraints.keeps(x)) return std::vector<uint8_t>(x.begin(), x.end());
    for (int attempt = 0; attempt < attempts; ++attempt) {
        Mender mender(problem, x, seed, attempt);
        if (attempt > 0) mender.shake(1 << std::min(attempt, 10));
        if (mender.mend()) return mender.x();
    }
    return {};
}

}  // namespace adiabat::anneal
