// SPDX-License-Identifier: Apache-2.0
#pragma once

// Temperatures from the problem's own scales.
//
// Under random neighbors flipping x_i changes the energy by m_i +- sd_i, m_i = h_i + sum_j J_ij /
// 2, sd_i^2 = sum_j J_ij^2 / 4; t_i = sqrt(m_i^2 + sd_i^2) is its typical size. Hot: the largest
// t_i is accepted with 1/2. Cold: the smallest step that a variable knows (its smallest nonzero
// coefficient, but at least t_i / 32: finer differences are for a descent at the end) is accepted
// with 1/100, for the variable where it is smallest.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

struct BetaRange {
    double min = 1;  // hot
    double max = 1;  // cold

    bool operator==(const BetaRange&) const = default;
};

// O(size of the problem); of dense problems at most 2,048 rows, evenly spaced, are read. Factored
// problems: sd from the squares' own variances, the finest step t_i / 32.
BetaRange natural_range(const qubo::Problem& problem, const Watch* watch = nullptr);

// What the couplings of a dense problem give, once for many linear terms.
struct CouplingScales {
    std::vector<double> half_sums, squares, smallest;  // of each variable's row
};
CouplingScales coupling_scales(const qubo::Dense& problem);
BetaRange natural_range(const CouplingScales& couplings, std::span<const double> linear);

// beta of sweep k of `sweeps`, range.max at the last one: geometric, or linear in beta.
enum class Shape { kGeometric, kLinear };
double beta_at(const BetaRange& range, Shape shape, int64_t sweep, int64_t sweeps);

}  // namespace adiabat::anneal
