// SPDX-License-Identifier: Apache-2.0
#pragma once

// Steps from plan to plan: one layer's bits up or down to the next width it may have, the groups of
// a family fewer or more by the least that may go. Within a family the groups with the smallest
// filters go first and come back last, which is optimal for `l1` at any count where the family is
// made by one layer.

#include <vector>

#include "adiabat/plan/l1.h"

namespace adiabat::plan {

struct Step {
    enum class Kind { kBits, kCut } kind = Kind::kBits;
    size_t index = 0;  // of the layer or family
    int by = 0;        // 1 or -1: more bits, or more groups cut

    Step reversed() const { return {kind, index, -by}; }
    // Whether the plan gets smaller by it.
    bool saves() const { return kind == Kind::kBits ? by < 0 : by > 0; }
};

// All steps there can be.
std::vector<Step> all_steps(const Plan& plan);

// Changes the plan; false, and no change, where the step leads out of what plans can be. A step
// taken is undone by taking it reversed.
bool take(const L1Problem& problem, Plan& plan, const Step& step);

// In each family the smallest groups go: the same counts at the least loss.
void cut_smallest(const L1Problem& problem, Plan& plan);

}  // namespace adiabat::plan
