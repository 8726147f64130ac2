// SPDX-License-Identifier: Apache-2.0
#pragma once

// Sums over a row of couplings: what is negative and what is positive in it. O(row).
//
// Eight sums side by side, so that a pass over a large matrix takes as long as reading it does (one
// sum waits for each addition), added up in one order on every instruction set.

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace adiabat::anneal {

struct RowSums {
    double negative = 0, positive = 0;

    double sizes() const { return positive - negative; }  // sum of |J|
};

inline RowSums row_sums(std::span<const double> row) {
    constexpr size_t kLanes = 8;
    std::array<double, kLanes> negative{}, positive{};
    const size_t whole = row.size() - row.size() % kLanes;
    for (size_t j = 0; j < whole; j += kLanes) {
        for (size_t k = 0; k < kLanes; ++k) {
            negative[k] += std::min(0.0, row[j + k]);
            positive[k] += std::max(0.0, row[j + k]);
        }
    }
    RowSums sums;
    for (size_t k = 0; k < kLanes; ++k) {
        sums.negative += negative[k];
        sums.positive += positive[k];
    }
    for (const double value : row.subspan(whole)) {
        sums.negative += std::min(0.0, value);
        sums.positive += std::max(0.0, value);
    }
    return sums;
}

// The couplings of variable i of a dense or sparse problem, zeros included where it is dense.
template <typename Problem>
std::span<const double> couplings_of(const Problem& problem, int i) {
    if constexpr (requires { problem.couplings(i); })
        return problem.couplings(i);
    else
        return problem.row(i);
}

}  // namespace adiabat::anneal
