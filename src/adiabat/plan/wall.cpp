// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/wall.h"

#include <algorithm>
#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

constexpr size_t kPlaces = size_t{1} << 13;

}  // namespace

Wall::Wall(const std::vector<Budget>& budgets, const CostFunctions& costs, std::mutex& lock)
    : budgets_(budgets),
      costs_(costs),
      lock_(lock),
      table_(kPlaces),
      has_file_(std::any_of(budgets.begin(), budgets.end(), [](const Budget& budget) {
          return budget.quantity == Quantity::kFile;
      })) {
    ADIABAT_CHECK(budgets.size() <= Excess().size(), "{} budgets", budgets.size());
}

Wall::Entry& Wall::entry(uint64_t key) { return table_[key & (kPlaces - 1)]; }

bool Wall::is_none(const Excess& excess) {
    return std::all_of(excess.begin(), excess.end(), [](float value) { return value == 0; });
}

const Wall::Excess& Wall::excess(const State::Shape& shape) {
    Entry& known = entry(shape.key);
    if (known.is_set && known.key == shape.key) return known.excess;
    known = {shape.key, true, {}};
    const auto values = costs(shape);
    for (size_t k = 0; k < values.size(); ++k) {
        if (values[k] <= budgets_[k].limit) continue;
        const double ratio = static_cast<double>(values[k]) / budgets_[k].unit();
        known.excess[k] =
            std::max(static_cast<float>(ratio - 1), std::numeric_limits<float>::min());
    }
    return known.excess;
}

const Wall::Excess& Wall::excess(State& state, const Move& move) {
    const uint64_t key = state.key_after(move);
    const Entry& known = entry(key);
    if (known.is_set && known.key == key) return known.excess;
    return excess(state.shape_after(move));
}

std::vector<int64_t> Wall::costs(const State::Shape& shape) {
    std::vector<int64_t> values(budgets_.size());
    const auto held = has_file_ ? std::unique_lock(lock_) : std::unique_lock<std::mutex>();
    costs_of(budgets_, costs_, shape.cut, shape.bits, values);
    return values;
}

}  // namespace adiabat::plan
