// SPDX-License-Identifier: Apache-2.0
#pragma once

// A certificate: how far a plan's energy can be from the least of all plans that keep the exact
// budgets. Branch and bound on the relaxation of relaxation.h.
//
// The relaxation holds every budget that is a sum over layers with its exact costs, products and
// rounding included, priced by multipliers; peak activations, and what decoders of one width share
// in a file, count in it as the least that is possible; a part of one shape of plans is looked at
// with the exact costs. A part of the plans is left where its bound is no lower than the best plan
// known; single groups, counts and widths are settled where the other choice could not be better
// (margins of cheapest.h); what is left is divided, the part of the lowest bound first, by the
// decision that mixes most: a layer's widths, a family's counts, or a group. Better plans that turn
// up on the way are kept.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/plan/budget.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

struct CertifyOptions {
    // Seconds, from when the costs of layers are known; the first bound may take 10 in any case.
    double time_limit = 10;
    uint64_t seed = 0;
    // A gap that is enough; 0: until the optimum is proven.
    double gap = 0;
};

struct Certificate {
    Plan plan;              // the best known: the given one, or a better one that was met
    double energy = 0;      // of it
    double bound = 0;       // no plan that keeps the budgets has less energy
    double root_bound = 0;  // before anything was divided
    // (energy - bound) / |energy|: the share of the plan's energy that a best plan could save. The
    // measured energy is 0 for the network that nothing is taken from.
    double gap = 0;
    bool is_optimal = false;  // no plan within the budgets is lower, up to rounding
    int64_t nodes = 0;        // parts of the plans that had a bound computed
    double seconds = 0;
};

// Whether there is one: of problems of at most anneal::kMostConvexVariables variables.
bool can_certify(const Hamiltonian& hamiltonian);

// `plan` keeps the budgets; can_certify(). Stopped or out of time, the certificate holds what is
// proven by then. A function of its arguments but for the time limit.
Certificate certify(const Network& network, const Hamiltonian& hamiltonian,
                    const std::vector<Budget>& budgets, const CostFunctions& costs,
                    const Plan& plan, const CertifyOptions& options = {},
                    const StopToken& stop = {}, ProgressSink& progress = no_progress());

// One sentence: what the gap means.
std::string to_sentence(const Certificate& certificate);

}  // namespace adiabat::plan
