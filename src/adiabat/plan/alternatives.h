// SPDX-License-Identifier: Apache-2.0
#pragma once

// The plans nearest to one, of those that keep the budgets: one move away, by what the move does to
// the energy.
//
//   swap      a cut group against a kept one of the same family: no cost changes
//   step      a layer's other widths, the least number of groups that may go or come back at once,
//             or a branch that goes or comes back
//   exchange  a step that saves and one that spends, at different places
//
// Which groups a step takes is what lowers the energy most; in problems of more than kAllPairs
// variables swaps are tried with the best few of each family, and exchanges with next widths alone.
// O(steps^2) costs.

#include <cstdint>
#include <vector>

#include "adiabat/plan/search.h"

namespace adiabat::plan {

struct Alternative {
    enum class Kind { kSwap, kStep, kExchange };
    Kind kind = Kind::kSwap;
    Move move;                   // with the change of energy
    std::vector<int64_t> costs;  // after it, one a budget of the wall
};

// The lowest `keep` of each kind, all together in the order of their energies. The state is the
// same afterwards, but for the order of groups that prefer() makes.
std::vector<Alternative> nearest_alternatives(State& state, Wall& wall, size_t keep);

// What the plan becomes.
Plan plan_after(const State& state, const Move& move);

}  // namespace adiabat::plan
