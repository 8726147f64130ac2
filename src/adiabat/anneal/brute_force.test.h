// SPDX-License-Identifier: Apache-2.0
#pragma once

// The oracle of tests: every assignment in counting order, every energy from scratch, O(n^2 2^n).
// Naive on purpose; n <= 20.

#include <cstdint>
#include <limits>
#include <vector>

#include "adiabat/base/errors.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

// Calls visit(x, energy) for every assignment that keeps the constraints.
template <typename Visit>
void for_each_state(const qubo::Problem& problem, Visit&& visit) {
    const int n = problem.variables();
    ADIABAT_CHECK(n <= 20, "{} variables", n);
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (uint64_t word = 0; word < uint64_t{1} << n; ++word) {
        for (int i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<uint8_t>(word >> i & 1);
        if (problem.constraints.keeps(x)) visit(x, problem.energy(x));
    }
}

// The lowest energy of assignments that keep the constraints; infinity where none does.
inline double brute_force(const qubo::Problem& problem) {
    double lowest = std::numeric_limits<double>::infinity();
    for_each_state(problem, [&](const std::vector<uint8_t>&, double energy) {
        if (energy < lowest) lowest = energy;
    });
    return lowest;
}

// All assignments within `tolerance` of the optimum.
inline std::vector<std::vector<uint8_t>> brute_force_states(const qubo::Problem& problem,
                                                            double tolerance = 0) {
    const double lowest = brute_force(problem);
    std::vector<std::vector<uint8_t>> states;
    for_each_state(problem, [&](const std::vector<uint8_t>& x, double energy) {
        if (energy <= lowest + tolerance) states.push_back(x);
    });
    return states;
}

}  // namespace adiabat::anneal
