// SPDX-License-Identifier: Apache-2.0
#pragma once

// What branch and bound makes ready once: an order in which variables are settled, and for each
// depth the diagonal shift of the problem that is left.
//
// The variables left at a depth are the last rows and columns of one matrix, so that a depth needs
// its own n - depth shifts alone. A shift is good for the linear terms for which it was found: here
// those with all settled variables as in the best known state, where nodes are hardest to prune.
// The variable settled next is the one whose term u_i m_i (1 - m_i) opens the widest gap between
// relaxation and problem, m the relaxation's means. O(n^3.5) in all; where time is short, deeper
// shifts are parts of shallower ones, which are always enough.
//
// Source: C. Buchheim, A. Caprara, A. Lodi, "An effective branch-and-bound algorithm for convex
// quadratic integer programming" (2012), for matrices by depth.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "adiabat/anneal/bounds/symmetric.h"
#include "adiabat/anneal/interval_rows.h"
#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

struct BranchPlan {
    std::vector<int> order;  // order[position]: a variable
    // The relaxed problem (Lagrangian terms included) by position.
    std::vector<double> couplings, linear;
    double offset = 0;
    // shifts[d]: of positions d and behind.
    std::vector<std::vector<double>> shifts;
    std::vector<double> start;  // where the relaxation at depth 0 is lowest, by position
    double bound = 0;           // of all

    size_t size() const { return order.size(); }
    Symmetric rest(size_t depth) const {
        return {couplings.data() + depth * (size() + 1), size(), size() - depth};
    }
};

struct BranchPlanInput {
    const qubo::Dense& problem;
    std::span<const IntervalRow> rows;
    std::span<const qubo::Group> groups;
    std::span<const uint8_t> best;                     // the best known state
    std::span<const std::pair<int, uint8_t>> settled;  // variables that come first
    size_t tail;                                       // so many at the end need no shifts
    uint64_t seed;
};

// Where the watch is over there may be no more than the bound.
BranchPlan plan_branching(const BranchPlanInput& input, const Watch& watch);

}  // namespace adiabat::anneal
