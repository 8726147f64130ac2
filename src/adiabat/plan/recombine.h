// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan of two others' parts, as in genetic algorithms (J. Holland, 1975; uniform
// crossover: G. Syswerda, 1989). O(groups + tensors).

#include "adiabat/base/random.h"
#include "adiabat/plan/plan.h"

namespace adiabat::plan {

// A branch with all that is its own from one of the two, and so each other family's cuts and each
// other tensor's width. Both must be allowed; the plan is too, but may break budgets that they
// keep. A function of its arguments alone.
Plan recombined(const Network& network, const Plan& a, const Plan& b, Random& random);

}  // namespace adiabat::plan
