// SPDX-License-Identifier: Apache-2.0
#pragma once

// Walkers (walkers.h) that never leave the constraints.
//
// A sweep is, for every variable i in order, a flip if the constraints allow it, and then a pair
// move: i with a partner j drawn for (replica, sweep, i): where a one-hot group holds i, another
// member of it (the step from one choice to another), else any variable (a swap keeps counts and
// nearly keeps sums). Both are accepted by Metropolis' rule where the constraints allow them and
// rejected where they do not; the partner's distribution is the same both ways, so that the
// Boltzmann distribution on the feasible assignments is left unchanged. Moves::kPairs: i is drawn,
// and its partner chosen among all that restore the constraints by a heat bath (see
// kernels/dense_pairs.h).
// Fields in double: O(1 + constraints) a proposal, a row a flip; a heat bath looks at all n.

#include <memory>

#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal {

// States that are set must keep the constraints. Null where the watch was over.
std::unique_ptr<const Model> make_constrained_model(const qubo::Problem& problem,
                                                    const Watch& watch, Moves moves);

}  // namespace adiabat::anneal
