// SPDX-License-Identifier: Apache-2.0
#pragma once

// `inspect`: what a network is made of, what it costs, and what can be done to it.

#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/pipeline/model.h"
#include "adiabat/plan/plan.h"

namespace adiabat::pipeline {

// Layers, families of channel groups, what is frozen and why, residual branches, costs in fp32,
// reachable budgets (none for a network that cannot be quantized, with the reason), operators
// without a rule. A network that computes in another type than float is turned into one that does,
// where that can be done. `keep` as in compress.h. Schema: doc/run-json.md.
Json inspect(Model& model, const std::vector<std::string>& keep = {});

// Every channel group with the indices that go with it, parameter by parameter (those of the
// network as it was simplified), and what is frozen. Schema: doc/run-json.md.
Json groups_json(const Model& model, const std::vector<std::string>& keep = {});

// {"parameters": .., "bytes": .., "macs": .., "bops": .., "float_macs": .., "activations": ..}
Json to_json(const net::Cost& cost);

}  // namespace adiabat::pipeline
