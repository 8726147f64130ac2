// SPDX-License-Identifier: Apache-2.0
#pragma once

// Steps from plan to plan: one layer's bits up or down, one channel of a group cut or revived.
// Within a group the smallest filters go first and come back last, which is optimal for `l1` at any
// count.

#include <vector>

#include "adiabat/plan/l1.h"

namespace adiabat::plan {

struct Step {
    enum class Kind { kBits, kCut } kind = Kind::kBits;
    size_t index = 0;  // of the layer or group
    int by = 0;        // bits added, or channels cut; 1 or -1

    Step reversed() const { return {kind, index, -by}; }
    // Whether the plan gets smaller by it.
    bool saves() const { return kind == Kind::kBits ? by < 0 : by > 0; }
};

// All steps there can be.
std::vector<Step> all_steps(const Plan& plan);

// Changes the plan; false, and no change, where the step leads out of what plans can be. A step
// taken is undone by taking it reversed.
bool take(const L1Problem& problem, Plan& plan, const Step& step);

// In each group the smallest filters go: the same counts at the least loss.
void cut_smallest(const L1Problem& problem, Plan& plan);

}  // namespace adiabat::plan
