// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/augmented_energy.h"

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/penalty.h"

namespace adiabat::anneal {

namespace {

// A violation by the largest coefficient costs this share of a typical change to begin with.
constexpr double kShareOfScale = 0.1;
constexpr double kFar = 3, kNear = 0.5;  // in largest coefficients
constexpr double kGrowth = 1.5, kShrink = 0.9;

bool is_equality(const qubo::LinearBudget& budget, double largest) {
    return budget.upper - budget.lower < largest;
}

}  // namespace

AugmentedEnergy::AugmentedEnergy(const qubo::Problem& problem, double scale) : original_(problem) {
    if (problem.constraints.empty()) return;  // large problems are not copied for nothing
    for (const qubo::LinearBudget& budget : problem.constraints.budgets) {
        Multiplier& multiplier = multipliers_.emplace_back();
        double largest = 0;
        for (const auto& term : budget.terms)
            largest = std::max(largest, std::abs(term.coefficient));
        if (largest > 0) multiplier.largest = largest;
        multiplier.mu = kShareOfScale * scale / (multiplier.largest * multiplier.largest);
    }
    qubo::Problem bare = problem;
    bare.constraints.budgets.clear();
    plain_ = with_penalties(bare, false, true, {});
    // A squared budget fills a sparse problem's rows.
    if (!multipliers_.empty() && std::holds_alternative<qubo::Sparse>(plain_.form))
        plain_.form = qubo::dense_of(plain_);
}

bool AugmentedEnergy::learn(std::span<const uint8_t> x) {
    bool changed = false;
    for (size_t b = 0; b < multipliers_.size(); ++b) {
        const qubo::LinearBudget& budget = original_.constraints.budgets[b];
        Multiplier& m = multipliers_[b];
        const double value = budget.value(x);
        const bool equality = is_equality(budget, m.largest);
        double violation =
            std::max(value - budget.upper, 0.0) + std::min(value - budget.lower, 0.0);
        if (std::abs(violation) <= budget.tolerance()) violation = 0;
        if (!m.active && violation == 0) continue;
        if (!m.active) m.side = violation > 0 ? budget.upper : budget.lower;
        // Inside, the distance from the side that pulls counts as well: it lets go.
        const double distance = value - m.side;
        m.lambda += 2 * m.mu * distance;
        const double away = std::abs(distance) / m.largest;
        if (away > kFar) m.mu *= kGrowth;
        if (away < kNear) m.mu *= kShrink;
        if (!equality) {
            const bool upper = m.side == budget.upper;
            m.lambda = upper ? std::max(m.lambda, 0.0) : std::min(m.lambda, 0.0);
        }
        m.active = equality || m.lambda != 0 || violation != 0;
        changed = true;
    }
    if (changed) rebuild();
    return changed;
}

void AugmentedEnergy::rebuild() {
    augmented_.form = plain_.form;
    has_terms_ = false;
    for (size_t b = 0; b < multipliers_.size(); ++b) {
        const Multiplier& m = multipliers_[b];
        if (!m.active) continue;
        has_terms_ = true;
        const double constant = m.lambda / (2 * m.mu) - m.side;
        const auto& terms = original_.constraints.budgets[b].terms;
        if (auto* const dense = std::get_if<qubo::Dense>(&augmented_.form)) {
            dense->add_squared(terms, constant, m.mu);
        } else {
            std::get<qubo::Factored>(augmented_.form).add_squared(terms, constant, m.mu);
        }
    }
}

}  // namespace adiabat::anneal
