// SPDX-License-Identifier: Apache-2.0
#pragma once

// The separable integer program that other toolkits solve, by Cbc: the least sum of single effects
// of cuts and widths within budgets, no interactions. Residual branches stay.
//
//   min  sum_f sum_c prefix_f(c) t_fc + sum_l sum_b w_lb y_lb,    t_f., y_l. one-hot
//
// t_fc: c groups of family f go, the c cheapest. A layer's cost is a product of filters, inputs and
// bits: where the choices of its families and widths are few enough, each has a variable,
// whose sums are the t and y (the tight form); in larger layers the cost is one number,
//
//   cost_l >= sum_c cost_l(c, c', b) t_fc - U (2 - t_f'c' - y_lb)    for all c', b,
//
// which is as exact and has a weak relaxation. Exact are params, macs, bops, bytes and the files of
// layers; what belongs to no layer counts as the least that it can be (layer_costs.h), so that a
// file may break its budget: then the limit is tightened by what it lacks, and what is found is no
// proven optimum. Peak activations are no sum over layers, and refused; so is a network of
// which activations are decided: what they cost is a product with counts and widths.

#include <optional>

#include "adiabat/plan/budget.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

struct IntegerProgramOptions {
    // Seconds. Cbc cannot be interrupted, and asks for the time between its parts only.
    double time_limit = 60;
    size_t most_cells = 512;  // of a layer in the tight form
};

struct IntegerProgramResult {
    std::optional<Plan> plan;  // none where none was found in time
    double energy = 0;
    double bound = 0;  // of the program
    bool is_optimal = false;
    double seconds = 0;
};

// Couplings do not count. Throws InputError for what is refused, and where the plug-in is missing.
IntegerProgramResult solve_integer_program(const Network& network, const Hamiltonian& hamiltonian,
                                           const std::vector<Budget>& budgets,
                                           const CostFunctions& costs,
                                           const IntegerProgramOptions& options = {});

}  // namespace adiabat::plan
