// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plans from samplers that know no budgets: prices are put on what groups and widths cost, and
// bisected.
//
//   H(x) + sum_k lambda_k c_k(x) / limit_k
//
// c_k is the cost of budget k to first order at the plan of the anneal before (linear_cost.h).
// lambda_k = lambda s_k: lambda goes from the usual ratio of energy to cost fourfold up or down
// until the budgets are just kept, then is bisected; the shares s_k, all one at first, follow the
// square of cost over limit. Samples that break a budget are brought back by reach_budgets().
// O(places) costs and one solve an anneal. The way quantum annealers and other solvers of plain
// QUBOs are driven: any technique of anneal/ can take part.

#include <cstdint>
#include <string>
#include <vector>

#include "adiabat/plan/search.h"

namespace adiabat::plan {

struct PricedOptions {
    std::string technique = "annealing";
    int64_t sweeps = 200;
    int replicas = 8;
    int threads = 0;
    uint64_t seed = 0;
    int bisections = 6;
};

struct Priced {
    std::vector<Found> found;  // plans that keep the budgets, lowest first, all different
    double multiplier = 0;     // lambda at which the lowest was found
    int anneals = 0;
    int64_t flips = 0;
};

// From the plan of `state`, which is changed. Where that keeps all budgets, one anneal without
// prices. Throws Interrupted when stopped, InputError for what anneal::solve refuses.
Priced anneal_priced(State& state, Wall& wall, const PricedOptions& options,
                     const StopToken& stop = {});

}  // namespace adiabat::plan
