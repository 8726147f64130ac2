// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/fit.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/correlation.h"

namespace adiabat::plan {

namespace {

// Squared logarithm of energies that say nothing of an exponent.
constexpr double kSameEnergy = 1e-9;
constexpr double kLeastExponent = 0.5, kMostExponent = 4;
// The pull to the factors before, in units of squared log divergence a plan.
constexpr double kPull = 1e-4;
constexpr double kMost[] = {4, 4, 1, 1, 1, 1};
constexpr int kRounds = 60;

constexpr double Interactions::*kFactors[] = {
    &Interactions::kappa,     &Interactions::tau,        &Interactions::rho_cuts,
    &Interactions::rho_mixed, &Interactions::rho_widths, &Interactions::rho_branches};
constexpr double EnergyTerms::*kTerms[] = {&EnergyTerms::within, &EnergyTerms::single_widths,
                                           &EnergyTerms::cuts,   &EnergyTerms::mixed,
                                           &EnergyTerms::widths, &EnergyTerms::branches};

double log_energy(const EnergyTerms& terms, const Interactions& interactions) {
    return std::log(std::max(terms.energy(interactions), 1e-300));
}

double objective(std::span<const JudgedPlan> plans, const Interactions& at,
                 const Interactions& before) {
    const Fit fit = calibrate(plans, at);
    double sum = fit.error * fit.error;
    for (auto factor : kFactors) {
        sum += kPull * (at.*factor - before.*factor) * (at.*factor - before.*factor);
    }
    return sum;
}

}  // namespace

double Fit::predicted(const EnergyTerms& terms) const {
    return scale * std::pow(std::max(terms.energy(interactions), 0.0), exponent);
}

Fit calibrate(std::span<const JudgedPlan> plans, const Interactions& interactions) {
    Fit fit;
    fit.interactions = interactions;
    if (plans.empty()) return fit;
    Correlation logs;
    for (const JudgedPlan& plan : plans) {
        logs.add(log_energy(plan.terms, interactions), std::log(std::max(plan.divergence, 1e-300)));
    }
    if (plans.size() > 1 && logs.variance_x() > kSameEnergy) {
        fit.exponent =
            std::clamp(logs.covariance() / logs.variance_x(), kLeastExponent, kMostExponent);
    }
    fit.correlation = logs.value().value_or(1);
    fit.scale = std::exp(logs.mean_y() - fit.exponent * logs.mean_x());
    const double rest = logs.variance_y() - 2 * fit.exponent * logs.covariance() +
                        fit.exponent * fit.exponent * logs.variance_x();
    fit.error = std::sqrt(std::max(rest, 0.0));
    return fit;
}

// One factor at a time: the best of a few steps up and down, which shrink.
Fit fit_interactions(std::span<const JudgedPlan> plans, const Interactions& before) {
    Interactions at = before;
    double least = objective(plans, at, before), step = 0.5;
    for (int round = 0; round < kRounds; ++round) {
        bool better = false;
        for (size_t k = 0; k < std::size(kFactors); ++k) {
            const bool is_there = std::any_of(plans.begin(), plans.end(), [&](const JudgedPlan& p) {
                return p.terms.*kTerms[k] != 0;
            });
            if (!is_there) continue;
            for (double by : {step, -step}) {
                Interactions candidate = at;
                candidate.*kFactors[k] = std::clamp(at.*kFactors[k] + by, 0.0, kMost[k]);
                const double here = objective(plans, candidate, before);
                if (here < least * (1 - 1e-9)) {
                    least = here;
                    at = candidate;
                    better = true;
                }
            }
        }
        if (!better) step /= 2;
        if (step < 1e-3) break;
    }
    return calibrate(plans, at);
}

}  // namespace adiabat::plan
