// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/penalty.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr double kMostWholeSlack = 4095;
constexpr int kBits = 8;

// Coefficients of slack variables that reach 0 .. range.
std::vector<double> slack_coefficients(const qubo::LinearBudget& budget, double range) {
    const auto whole = [](double value) { return value == std::floor(value); };
    const bool exact = range <= kMostWholeSlack && whole(range) && whole(budget.upper) &&
                       std::ranges::all_of(budget.terms, [&](const qubo::Term& term) {
                           return whole(term.coefficient);
                       });
    const double unit = exact ? 1 : range / ((1 << kBits) - 1);
    std::vector<double> coefficients;
    double left = range;
    for (double c = unit; left > unit / 2; c *= 2) {
        coefficients.push_back(std::min(c, left));
        left -= coefficients.back();
    }
    return coefficients;
}

// A budget in the form that is squared: terms, then slack, minus `upper`.
struct Equation {
    std::vector<qubo::Term> terms;
    std::vector<double> slack;
    double constant = 0;
    double largest = 0;  // coefficient
};

Equation equation_of(const qubo::LinearBudget& given) {
    // With an upper side; a budget that has only a lower one is turned around.
    qubo::LinearBudget budget = given;
    if (std::isinf(budget.upper)) {
        for (auto& term : budget.terms) term.coefficient = -term.coefficient;
        budget.upper = -given.lower;
        budget.lower = -std::numeric_limits<double>::infinity();
    }
    double least = 0;
    Equation equation;
    for (const auto& [i, c] : budget.terms) {
        least += std::min(c, 0.0);
        equation.largest = std::max(equation.largest, std::abs(c));
    }
    const double range = std::max(0.0, budget.upper - std::max(budget.lower, least));
    equation.terms = budget.terms;
    equation.slack = slack_coefficients(budget, range);
    equation.constant = -budget.upper;
    return equation;
}

// The same energies over more variables, in a form to which squares can be added.
qubo::Energy widened(const qubo::Problem& problem, int variables, bool squares) {
    if (const auto* const dense = std::get_if<qubo::Dense>(&problem.form)) {
        qubo::Dense wide(variables);
        wide.add_offset(dense->offset());
        for (int i = 0; i < dense->variables(); ++i) {
            wide.add_linear(i, dense->linear(i));
            for (int j = 0; j < i; ++j) wide.add_coupling(i, j, dense->coupling(i, j));
        }
        return wide;
    }
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form); sparse && !squares) {
        ADIABAT_CHECK(variables == sparse->variables(), "slack variables in a sparse problem");
        return *sparse;
    }
    qubo::Factored wide(variables);
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form)) {
        wide.add_offset(factored->offset());
        for (int i = 0; i < factored->variables(); ++i) wide.add_linear(i, factored->linear(i));
        std::vector<double> columns;
        const size_t rank = factored->weights().size();
        for (int i = 0; i < factored->variables(); ++i)
            columns.insert(columns.end(), factored->row(i).begin(), factored->row(i).end());
        columns.resize(rank * static_cast<size_t>(variables), 0.0);
        wide.add_squares(columns, factored->constants(), factored->weights());
        for (const auto& block : factored->blocks())
            wide.add_block(block.first, block.size, block.values);
        return wide;
    }
    // A sparse problem with squared budgets: one block would be dense, so its size decides.
    return widened({qubo::dense_of(problem)}, variables, squares);
}

// A group as a square: weight (sum x + constant)^2 + offset.
struct GroupSquare {
    double constant, offset;
};
GroupSquare square_of(const qubo::Group& group, double price) {
    if (group.exactly_one) return {-1.0, 0.0};
    return {-0.5, -price / 4};
}

// All groups of a sparse problem at once: its rows are built once.
qubo::Sparse with_groups(const qubo::Sparse& form, std::span<const qubo::Group> groups,
                         double price) {
    std::vector<qubo::Edge> edges;
    for (int i = 0; i < form.variables(); ++i) {
        const auto row = form.neighbors(i);
        for (size_t k = 0; k < row.size(); ++k)
            if (row[k] > i) edges.push_back({i, row[k], form.couplings(i)[k]});
    }
    std::vector<double> linear(form.linear().begin(), form.linear().end());
    double offset = form.offset();
    for (const qubo::Group& group : groups) {
        const GroupSquare square = square_of(group, price);
        offset += price * square.constant * square.constant + square.offset;
        for (size_t k = 0; k < group.members.size(); ++k) {
            const int i = group.members[k];
            linear[static_cast<size_t>(i)] += price * (1 + 2 * square.constant);
            for (size_t other = 0; other < k; ++other)
                edges.push_back({i, group.members[other], 2 * price});
        }
    }
    return {form.variables(), edges, std::move(linear), offset};
}

struct AddSquare {
    std::span<const qubo::Term> terms;
    double constant, weight;

    void operator()(qubo::Dense& form) const { form.add_squared(terms, constant, weight); }
    void operator()(qubo::Factored& form) const { form.add_squared(terms, constant, weight); }
    void operator()(qubo::Sparse&) const { ADIABAT_CHECK(false, "a square in a sparse problem"); }
};

}  // namespace

double largest_change(const qubo::Problem& problem) { return energy_tolerance(problem) * 1e12; }

double penalty_weight(const qubo::Problem& problem) { return 1.01 * largest_change(problem); }

std::vector<BudgetPenalty> budget_penalties(const qubo::Problem& problem,
                                            std::optional<double> weight) {
    const double price = weight ? *weight : penalty_weight(problem);
    int variables = problem.variables();
    std::vector<BudgetPenalty> penalties;
    for (const auto& budget : problem.constraints.budgets) {
        if (std::isinf(budget.lower) && std::isinf(budget.upper)) continue;
        Equation equation = equation_of(budget);
        const double size = equation.largest > 0 ? equation.largest : 1.0;
        penalties.push_back({std::move(equation.terms), equation.slack.size(), equation.constant,
                             price / (size * size)});
        for (const double c : equation.slack) penalties.back().terms.push_back({variables++, c});
    }
    return penalties;
}

qubo::Problem with_penalties(const qubo::Problem& problem, bool budgets, bool groups,
                             std::optional<double> weight) {
    const double price = weight ? *weight : penalty_weight(problem);
    qubo::Problem result;
    int variables = problem.variables();
    std::vector<BudgetPenalty> penalties;
    if (budgets) {
        penalties = budget_penalties(problem, price);
        for (const BudgetPenalty& penalty : penalties) variables += static_cast<int>(penalty.slack);
    } else {
        result.constraints.budgets = problem.constraints.budgets;
    }
    result.form = widened(problem, variables, !penalties.empty());
    for (const BudgetPenalty& penalty : penalties) {
        std::visit(AddSquare{penalty.terms, penalty.constant, penalty.weight}, result.form);
    }
    if (!groups) {
        result.constraints.groups = problem.constraints.groups;
        return result;
    }
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&result.form)) {
        result.form = with_groups(*sparse, problem.constraints.groups, price);
        return result;
    }
    for (const auto& group : problem.constraints.groups) {
        std::vector<qubo::Term> terms;
        for (const int i : group.members) terms.push_back({i, 1.0});
        const GroupSquare square = square_of(group, price);
        std::visit(AddSquare{terms, square.constant, price}, result.form);
        std::visit(
            [&](auto& form) {
                if constexpr (requires { form.add_offset(0.0); }) form.add_offset(square.offset);
            },
            result.form);
    }
    return result;
}

}  // namespace adiabat::anneal
