// SPDX-License-Identifier: Apache-2.0
#pragma once

// How branch and bound settles and divides a domain, from its relaxation.

#include <vector>

#include "adiabat/plan/relaxation.h"

namespace adiabat::plan {

// Takes from the domain the groups, counts, widths and branches with which no plan is below
// `cutoff`; false where nothing is left.
bool settle(const Network& network, const CheapestPlans& cheapest, const Relaxed& relaxed,
            double cutoff, Domain& domain);

// Two parts that hold all plans of the domain, none twice; none where it holds one plan, or one
// shape of plans whose energy the relaxation has. The decision is the one over which the corners
// differ most: in parts, half of the curvature that the mixture saves (groups), or of the value
// that is made up elsewhere (widths and counts), or both (branches).
std::vector<Domain> divide(const Network& network, const Relaxed& relaxed,
                           const CheapestPlans& cheapest, const Domain& domain);

}  // namespace adiabat::plan
