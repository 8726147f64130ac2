// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which variables are settled at a node of branch and bound, and what rows of constraints settle.
//
// Every row knows the least and the most that it can still be; a variable one of whose values would
// leave the row's interval takes the other. All of it can be undone in reverse. O(rows of the
// variable) a settling, O(terms) a row looked at again.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/interval_rows.h"

namespace adiabat::anneal {

class BranchRows {
  public:
    // Terms of `rows` name positions 0 .. size - 1.
    BranchRows(std::vector<IntervalRow> rows, size_t size);

    // 0 or 1, or -1 where free.
    int value(size_t position) const { return values_[position]; }
    // The box of what positions can still be.
    const double* lower() const { return lower_.data(); }
    const double* upper() const { return upper_.data(); }

    // Settles a free position.
    void settle(size_t position, int value);
    // Settles what follows; false where some row cannot be kept.
    bool propagate();
    // How many are settled, and back to when so many were.
    size_t mark() const { return trail_.size(); }
    void undo(size_t mark);

  private:
    struct Use {
        size_t row;
        double coefficient;
    };
    bool propagate(size_t row);

    std::vector<IntervalRow> rows_;
    std::vector<double> least_, most_, slack_;
    std::vector<std::vector<Use>> uses_;
    std::vector<int> values_;
    std::vector<double> lower_, upper_;
    std::vector<size_t> trail_, changed_;  // positions; rows to look at
    std::vector<uint8_t> is_changed_;
};

}  // namespace adiabat::anneal
