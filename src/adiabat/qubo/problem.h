// SPDX-License-Identifier: Apache-2.0
#pragma once

// A problem as techniques take it: an energy in one of three forms, and constraints beside it.

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "adiabat/qubo/constraints.h"
#include "adiabat/qubo/dense.h"
#include "adiabat/qubo/factored.h"
#include "adiabat/qubo/sparse.h"

namespace adiabat::qubo {

using Energy = std::variant<Dense, Sparse, Factored>;

struct Problem {
    Energy form;
    Constraints constraints = {};
    std::vector<std::string> names = {};  // one a variable, or none: then they are their numbers
    bool spins = false;                   // written as Ising: answers are printed as -1 and 1

    int variables() const;
    double offset() const;
    double linear(int i) const;
    double coupling(int i, int j) const;
    std::string name(int i) const;  // "17" where there are no names
    // "dense", "sparse", "factored".
    const char* form_name() const;

    // E in double from the assignment. Constraints do not count.
    double energy(std::span<const uint8_t> x) const;
    std::vector<double> fields(std::span<const uint8_t> x) const;
    // field += sign * row i.
    void add_row(int i, double sign, std::span<double> field) const;

    // Bytes that the energy takes.
    uint64_t memory_bytes() const;

    bool operator==(const Problem&) const = default;
};

// Calls visit(j, J_ij) for all j with J_ij != 0, ascending. O(n rank) where factored.
template <typename Visit>
void for_each_coupling(const Problem& problem, int i, Visit&& visit) {
    if (const auto* const sparse = std::get_if<Sparse>(&problem.form)) {
        const auto row = sparse->neighbors(i);
        const auto values = sparse->couplings(i);
        for (size_t k = 0; k < row.size(); ++k) visit(row[k], values[k]);
    } else if (const auto* const dense = std::get_if<Dense>(&problem.form)) {
        const auto row = dense->row(i);
        for (size_t j = 0; j < row.size(); ++j)
            if (row[j] != 0) visit(static_cast<int>(j), row[j]);
    } else {
        std::vector<double> row(static_cast<size_t>(problem.variables()), 0.0);
        problem.add_row(i, 1.0, row);
        for (size_t j = 0; j < row.size(); ++j)
            if (row[j] != 0) visit(static_cast<int>(j), row[j]);
    }
}

// The same energies in another form; sparse_of drops couplings that are exactly zero.
Dense dense_of(const Problem& problem);
Sparse sparse_of(const Problem& problem);

// Whether so many pairs of so many variables are annealed more quickly as a dense matrix.
bool dense_is_quicker(int variables, uint64_t pairs);
// Edges in whichever of dense and sparse is quicker to anneal: dense where more than a tenth of all
// pairs interact and the n^2 numbers fit.
Energy best_form(Sparse problem);

}  // namespace adiabat::qubo
