// SPDX-License-Identifier: Apache-2.0
#pragma once

// `inspect`: what a network is made of, what it costs, and what can be done to it.

#include "adiabat/base/json.h"
#include "adiabat/pipeline/model.h"
#include "adiabat/plan/plan.h"

namespace adiabat::pipeline {

// Layers, groups, costs in fp32, reachable budgets (none for a network that cannot be quantized,
// with the reason), operators without a rule. Schema: doc/run-json.md.
Json inspect(const Model& model);

// {"parameters": .., "bytes": .., "macs": .., "bops": ..}
Json to_json(const net::Cost& cost);

}  // namespace adiabat::pipeline
