// SPDX-License-Identifier: Apache-2.0
#pragma once

// How much of each interaction is real, and what an energy means: fitted to plans that were carried
// out and judged on images that took no part in sensing.
//
//   log divergence = log scale + exponent log E(kappa, rho ..)
//
// with all factors >= 0, by least squares and a weak pull to where they were. The exponent is above
// 1: a network that is sure of its images forgives small changes and not large ones. A divergence
// is predicted as scale E^exponent. O(rounds x samples).

#include <span>

#include "adiabat/plan/measured.h"

namespace adiabat::plan {

struct JudgedPlan {
    EnergyTerms terms;
    double divergence = 0;  // > 0
};

struct Fit {
    Interactions interactions;
    double scale = 0, exponent = 1;
    double error = 0;  // root mean square of log divergence
    // Pearson's, of predicted and true log divergences; 1 for fewer than three plans.
    double correlation = 1;

    double predicted(const EnergyTerms& terms) const;
};

// Two numbers fitted to fewer plans say nothing.
inline constexpr size_t kFewestForALine = 3;

// Fits scale and exponent alone, the interactions as given. Fewer than two plans of different
// energy: exponent 1.
Fit calibrate(std::span<const JudgedPlan> plans, const Interactions& interactions);

// Fits kappa and the rhos too. Factors whose terms are nought in all plans stay as they were.
Fit fit_interactions(std::span<const JudgedPlan> plans, const Interactions& before);

}  // namespace adiabat::plan
