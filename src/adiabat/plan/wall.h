// SPDX-License-Identifier: Apache-2.0
#pragma once

// By how much cut counts and widths break each budget, remembered.
//
// The exact cost of a plan depends on its counts and widths alone, and a search asks for the same
// ones again and again: answers are kept in a table of 2^13 places by the key of the shape
// (state.h). One wall a thread; the size of the file, which is not made for several threads, is
// behind a lock that walls share.

#include <array>
#include <cstdint>
#include <mutex>
#include <vector>

#include "adiabat/plan/budget.h"
#include "adiabat/plan/state.h"

namespace adiabat::plan {

class Wall {
  public:
    // Of each budget max(0, cost / limit - 1), zero beyond the last; a budget occurs once at most.
    using Excess = std::array<float, kQuantities.size()>;

    // All must outlive it.
    Wall(const std::vector<Budget>& budgets, const CostFunctions& costs, std::mutex& lock);

    // Valid until the next call.
    const Excess& excess(const State::Shape& shape);
    const Excess& excess(State& state, const Move& move);
    // Exactly: no budget is broken by even one.
    bool keeps(const State::Shape& shape) { return is_none(excess(shape)); }
    bool keeps(State& state, const Move& move) { return is_none(excess(state, move)); }
    static bool is_none(const Excess& excess);

    // One entry a budget, not remembered.
    std::vector<int64_t> costs(const State::Shape& shape);
    const std::vector<Budget>& budgets() const { return budgets_; }

  private:
    struct Entry {
        uint64_t key = 0;
        bool is_set = false;
        Excess excess = {};
    };
    Entry& entry(uint64_t key);

    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    std::mutex& lock_;
    std::vector<Entry> table_;
    bool has_file_;
};

}  // namespace adiabat::plan
