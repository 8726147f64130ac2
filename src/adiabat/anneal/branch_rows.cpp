// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/branch_rows.h"

#include <algorithm>
#include <cmath>

namespace adiabat::anneal {

BranchRows::BranchRows(std::vector<IntervalRow> rows, size_t size)
    : rows_(std::move(rows)),
      uses_(size),
      values_(size, -1),
      lower_(size, 0.0),
      upper_(size, 1.0),
      is_changed_(rows_.size(), 1) {
    for (size_t r = 0; r < rows_.size(); ++r) {
        double least = 0, most = 0;
        for (const auto& [i, c] : rows_[r].terms) {
            (c < 0 ? least : most) += c;
            uses_[static_cast<size_t>(i)].push_back({r, c});
        }
        least_.push_back(least);
        most_.push_back(most);
        // Sums that come and go do not end where they began.
        slack_.push_back(1e-11 * (most - least));
        changed_.push_back(r);
    }
}

void BranchRows::settle(size_t position, int value) {
    values_[position] = value;
    lower_[position] = upper_[position] = value;
    trail_.push_back(position);
    for (const auto& [r, c] : uses_[position]) {
        least_[r] += c * value - std::min(0.0, c);
        most_[r] += c * value - std::max(0.0, c);
        if (is_changed_[r]) continue;
        is_changed_[r] = 1;
        changed_.push_back(r);
    }
}

void BranchRows::undo(size_t mark) {
    while (trail_.size() > mark) {
        const size_t position = trail_.back();
        trail_.pop_back();
        for (const auto& [r, c] : uses_[position]) {
            least_[r] -= c * values_[position] - std::min(0.0, c);
            most_[r] -= c * values_[position] - std::max(0.0, c);
        }
        values_[position] = -1;
        lower_[position] = 0;
        upper_[position] = 1;
    }
}

bool BranchRows::propagate(size_t r) {
    const double lower = rows_[r].lower - slack_[r], upper = rows_[r].upper + slack_[r];
    if (least_[r] > upper || most_[r] < lower) return false;
    if (least_[r] >= lower && most_[r] <= upper) return true;
    for (const auto& [i, c] : rows_[r].terms) {
        const auto position = static_cast<size_t>(i);
        if (values_[position] >= 0) continue;
        const double size = std::abs(c);
        const bool not_more = least_[r] + size > upper, not_less = most_[r] - size < lower;
        if (not_more && not_less) return false;
        // The value that adds more, or the one that adds less, is out.
        if (not_more) settle(position, c < 0 ? 1 : 0);
        if (not_less) settle(position, c < 0 ? 0 : 1);
    }
    return least_[r] <= upper && most_[r] >= lower;
}

bool BranchRows::propagate() {
    bool kept = true;
    while (!changed_.empty()) {
        const size_t r = changed_.back();
        changed_.pop_back();
        // Before the row is looked at: what it settles may change it again.
        is_changed_[r] = 0;
        kept = kept && propagate(r);
    }
    return kept;
}

}  // namespace adiabat::anneal
