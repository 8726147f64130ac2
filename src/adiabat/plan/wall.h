// SPDX-License-Identifier: Apache-2.0
#pragma once

// Whether cut counts and widths keep every budget, remembered.
//
// The exact cost of a plan depends on its counts and widths alone, and a search asks for the same
// ones again and again: answers are kept in a table of 2^14 places by the key of the shape
// (state.h). One wall a thread; the size of the file, which is not made for several threads, is
// behind a lock that walls share.

#include <cstdint>
#include <mutex>
#include <vector>

#include "adiabat/plan/budget.h"
#include "adiabat/plan/state.h"

namespace adiabat::plan {

class Wall {
  public:
    // All must outlive it.
    Wall(const std::vector<Budget>& budgets, const CostFunctions& costs, std::mutex& lock);

    bool keeps(const State::Shape& shape);
    // The same for a move: without any cost where it is remembered, or changes no count and width.
    bool keeps(State& state, const Move& move);
    // One entry a budget, not remembered.
    std::vector<int64_t> costs(const State::Shape& shape);
    const std::vector<Budget>& budgets() const { return budgets_; }
    int64_t evaluations() const { return evaluations_; }

  private:
    struct Entry {
        uint64_t key = 0;
        int8_t keeps = -1;  // -1: empty
    };
    Entry& entry(uint64_t key);
    std::unique_lock<std::mutex> hold() const;

    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    std::mutex& lock_;
    std::vector<Entry> table_;
    bool has_file_;
    int64_t evaluations_ = 0;
};

}  // namespace adiabat::plan
