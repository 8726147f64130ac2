// SPDX-License-Identifier: Apache-2.0
#pragma once

// A good state to start branch and bound from: what it need not find is only to be proven.
//
// From each start, descent and then a short tabu search whose moves keep the rows: single flips,
// and swaps of a set and an unset variable where there are rows. O(n) a step, O(n^2) with rows.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/interval_rows.h"
#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

// The lowest state found from `starts` starts: those of the task, and random ones where there are
// no constraints. Always keeps the constraints if the task's initial states do.
std::vector<uint8_t> good_state(const Task& task, std::span<const IntervalRow> rows, int starts);

}  // namespace adiabat::anneal
