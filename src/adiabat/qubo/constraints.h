// SPDX-License-Identifier: Apache-2.0
#pragma once

// What an assignment must keep beside having a low energy: linear budgets, groups of which exactly
// one (one-hot) or at most one (exclusive) variable is set, and variables that are fixed.
//
// They stand beside the energy and are not part of it: a technique keeps them by the way it moves,
// or solve() turns them into penalties, or it refuses (anneal/solve.h).

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "adiabat/qubo/dense.h"

namespace adiabat::qubo {

// lower <= sum_k c_k x_k <= upper; either side may be infinite. A variable occurs once at most.
struct LinearBudget {
    std::vector<Term> terms;
    double lower = -std::numeric_limits<double>::infinity();
    double upper = std::numeric_limits<double>::infinity();
    std::string name = {};

    double value(std::span<const uint8_t> x) const;
    // Rounding in sums of the coefficients must not make the same sum break and keep a budget:
    // 1e-9 of the sum of their sizes is allowed beyond each side.
    double tolerance() const;

    bool operator==(const LinearBudget&) const = default;
};

struct Group {
    std::vector<int> members;  // different variables
    bool exactly_one = true;   // one-hot; else exclusive: at most one
    std::string name = {};

    bool operator==(const Group&) const = default;
};

struct Fixed {
    int variable = 0;
    uint8_t value = 0;

    bool operator==(const Fixed&) const = default;
};

struct Constraints {
    std::vector<LinearBudget> budgets;
    std::vector<Group> groups;
    std::vector<Fixed> fixed;

    bool empty() const { return budgets.empty() && groups.empty() && fixed.empty(); }
    // Whether an assignment keeps them all.
    bool keeps(std::span<const uint8_t> x) const;
    // The first that an assignment breaks, in words ("budget 'file': 12 > 10"); nothing where it
    // keeps them all.
    std::optional<std::string> broken(std::span<const uint8_t> x) const;
    // Throws InputError for variables out of 0..variables-1 or named twice in one constraint,
    // values that are not finite, bounds that no value meets, a variable fixed both ways.
    void check(int variables) const;

    bool operator==(const Constraints&) const = default;
};

}  // namespace adiabat::qubo
