// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/wall.h"

#include <algorithm>

namespace adiabat::plan {

namespace {

constexpr size_t kPlaces = size_t{1} << 14;

}  // namespace

Wall::Wall(const std::vector<Budget>& budgets, const CostFunctions& costs, std::mutex& lock)
    : budgets_(budgets),
      costs_(costs),
      lock_(lock),
      table_(kPlaces),
      has_file_(std::any_of(budgets.begin(), budgets.end(), [](const Budget& budget) {
          return budget.quantity == Quantity::kFile;
      })) {}

Wall::Entry& Wall::entry(uint64_t key) { return table_[key & (kPlaces - 1)]; }

std::unique_lock<std::mutex> Wall::hold() const {
    return has_file_ ? std::unique_lock(lock_) : std::unique_lock<std::mutex>();
}

bool Wall::keeps(const State::Shape& shape) {
    Entry& known = entry(shape.key);
    if (known.keeps >= 0 && known.key == shape.key) return known.keeps != 0;
    ++evaluations_;
    const auto held = hold();
    const bool keeps = is_feasible(budgets_, costs_, shape.cut, shape.bits);
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
    std::vector<int64_t> values(budgets_.size());
    ++evaluations_;
    const auto held = hold();
    costs_of(budgets_, costs_, shape.cut, shape.bits, values);
    return values;
}

}  // namespace adiabat::plan
