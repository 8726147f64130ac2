// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/interval_rows.h"

namespace adiabat::anneal {

std::vector<IntervalRow> interval_rows(const qubo::Constraints& constraints) {
    std::vector<IntervalRow> rows;
    for (const qubo::LinearBudget& budget : constraints.budgets) {
        const double tolerance = budget.tolerance();
        rows.push_back({budget.terms, budget.lower - tolerance, budget.upper + tolerance});
    }
    for (const qubo::Group& group : constraints.groups) {
        IntervalRow row{{}, group.exactly_one ? 0.5 : -0.5, 1.5};
        for (const int member : group.members) row.terms.push_back({member, 1.0});
        rows.push_back(std::move(row));
    }
    for (const qubo::Fixed& fixed : constraints.fixed)
        rows.push_back({{{fixed.variable, 1.0}}, fixed.value - 0.5, fixed.value + 0.5});
    return rows;
}

std::vector<double> row_matrix(std::span<const IntervalRow> rows, int variables) {
    const auto n = static_cast<size_t>(variables);
    std::vector<double> matrix(rows.size() * n);
    for (size_t r = 0; r < rows.size(); ++r) {
        for (const auto& [i, c] : rows[r].terms) matrix[r * n + static_cast<size_t>(i)] += c;
    }
    return matrix;
}

}  // namespace adiabat::anneal
