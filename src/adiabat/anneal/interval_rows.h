// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constraints of every kind as one kind: lower <= sum_k c_k x_k <= upper, tolerance included.
//
// A group is a row of ones within [0.5, 1.5] (one-hot) or [-0.5, 1.5] (exclusive), a fixed variable
// a row of itself: whole numbers decided at halves, so that rounding cannot tip them. Exact
// techniques and bounds treat these rows alike.

#include <limits>
#include <span>
#include <vector>

#include "adiabat/qubo/constraints.h"

namespace adiabat::anneal {

struct IntervalRow {
    std::vector<qubo::Term> terms;
    double lower = -std::numeric_limits<double>::infinity();
    double upper = std::numeric_limits<double>::infinity();
};

// Budgets, then groups, then fixed variables.
std::vector<IntervalRow> interval_rows(const qubo::Constraints& constraints);

// The coefficients of all rows as one matrix, rows x variables, row-major.
std::vector<double> row_matrix(std::span<const IntervalRow> rows, int variables);

}  // namespace adiabat::anneal
