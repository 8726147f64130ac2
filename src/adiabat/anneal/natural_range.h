// SPDX-License-Identifier: Apache-2.0
#pragma once

// The range of temperatures that suits a problem of any form (the formula: metropolis.h).

#include "adiabat/anneal/metropolis.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

BetaRange natural_range(const qubo::Problem& problem);

}  // namespace adiabat::anneal
