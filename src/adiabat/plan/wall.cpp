// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/wall.h"

#include <algorithm>

namespace adiabat::plan {

namespace {

constexpr size_t kPlaces = size_t{1} << 14;

}  // namespace

Wall::Wall(const Network& network, const std::vector<Budget>& budgets, const CostFunctions& costs,
           std::mutex& lock)
    : budgets_(budgets),
      costs_(costs),
      lock_(lock),
      table_(kPlaces),
      plan_(uniform_plan(network, kMaxBits)) {}

Wall::Entry& Wall::entry(uint64_t key) { return table_[key & (kPlaces - 1)]; }

int64_t Wall::cost(const Budget& budget, const State::Shape& shape) {
    for (size_t f = 0; f < plan_.cut.size(); ++f) {
        auto& cut = plan_.cut[f];
        std::fill(cut.begin(), cut.end(), uint8_t{0});
        std::fill_n(cut.begin(), shape.cut[f], uint8_t{1});
    }
    std::copy(shape.bits.begin(), shape.bits.end(), plan_.bits.begin());
    ++evaluations_;
    const std::lock_guard held(lock_);
    return costs_.cost(budget.quantity, plan_);
}

bool Wall::keeps(const State::Shape& shape) {
    Entry& known = entry(shape.key);
    if (known.keeps >= 0 && known.key == shape.key) return known.keeps != 0;
    const bool keeps = std::all_of(budgets_.begin(), budgets_.end(), [&](const Budget& budget) {
        return cost(budget, shape) <= budget.limit;
    });
    known = {shape.key, static_cast<int8_t>(keeps)};
    return keeps;
}

bool Wall::keeps(State& state, const Move& move) {
    if (move.changes.empty() || budgets_.empty()) return true;
    const uint64_t key = state.key_after(move);
    const Entry& known = entry(key);
    if (known.keeps >= 0 && known.key == key) return known.keeps != 0;
    return keeps(state.shape_after(move));
}

std::vector<int64_t> Wall::costs(const State::Shape& shape) {
    std::vector<int64_t> costs;
    for (const Budget& budget : budgets_) costs.push_back(cost(budget, shape));
    return costs;
}

}  // namespace adiabat::plan
