// SPDX-License-Identifier: Apache-2.0
#pragma once

// Parallel tempering with isoenergetic cluster moves: every read is a ladder of replicas
// (temperature_ladder.h), the coldest at the end of the problem's natural range. In the first
// quarter of a read the temperatures are placed by the exchange rates measured, four times; from
// then on they stay, and what the replicas do is exact sampling at every temperature.
//
// O(sweeps temperatures copies n) proposals a read. `last` is a state at the coldest temperature.

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

extern const Technique kTempering;

}  // namespace adiabat::anneal
