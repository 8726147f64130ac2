// SPDX-License-Identifier: Apache-2.0
#pragma once

// For tests: random problems in all forms, and a way through a file of any format.

#include <limits>
#include <string>

#include "adiabat/base/random.h"
#include "adiabat/qubo/formats/formats.h"
#include "adiabat/qubo/ising.h"

namespace adiabat::qubo {

// Coefficients are multiples of 1/8 where `exact` (so that every energy is), uniform otherwise.
inline double random_value(Random& random, bool exact) {
    return exact ? (static_cast<double>(random.below(65)) - 32) / 8 : 2 * random.uniform() - 1;
}

inline Sparse random_sparse(int n, double density, Random& random, bool exact) {
    std::vector<Edge> edges;
    std::vector<double> linear;
    for (int i = 0; i < n; ++i) {
        linear.push_back(random_value(random, exact));
        for (int j = 0; j < i; ++j) {
            if (random.uniform() < density) edges.push_back({j, i, random_value(random, exact)});
        }
    }
    return {n, edges, linear, random_value(random, exact)};
}

inline Factored random_factored(int n, Random& random, bool exact) {
    Factored factored(n);
    factored.add_offset(random_value(random, exact));
    for (int i = 0; i < n; ++i) factored.add_linear(i, random_value(random, exact));
    for (int k = 0; n > 0 && k < 3; ++k) {
        std::vector<Term> terms;
        for (int i = 0; i < n; ++i) terms.push_back({i, random_value(random, exact)});
        factored.add_squared(terms, random_value(random, exact), random_value(random, exact));
    }
    for (int first = 0; first + 3 <= n; first += 4) {
        std::vector<double> block(9);
        for (size_t i = 0; i < 3; ++i) {
            for (size_t j = 0; j <= i; ++j)
                block[i * 3 + j] = block[j * 3 + i] = random_value(random, exact);
        }
        factored.add_block(first, 3, block);
    }
    return factored;
}

// Dense, sparse or factored; of spins or not.
inline Problem random_problem(int n, uint64_t seed, bool exact) {
    Random random(seed, 0xF11E);
    const uint32_t form = random.below(3);
    Problem problem{Dense()};
    if (form == 0) problem.form = random_sparse(n, 0.3, random, exact);
    if (form == 1) problem.form = dense_of({random_sparse(n, 0.9, random, exact)});
    if (form == 2) problem.form = random_factored(n, random, exact);
    problem.spins = random.below(2) == 1;
    return problem;
}

inline Constraints random_constraints(int n, Random& random) {
    Constraints constraints;
    if (n < 4) return constraints;
    LinearBudget budget{{{0, 1.5}, {2, -0.25}, {n - 1, 3}}, -1, 4, "size"};
    if (random.below(2)) budget.upper = std::numeric_limits<double>::infinity();
    if (random.below(2)) budget.name = "with space";
    constraints.budgets.push_back(budget);
    constraints.budgets.push_back({{{1, 2}, {3, 1}}, 1, 1, ""});
    constraints.groups.push_back({{0, 1, 3}, random.below(2) == 1, "one"});
    constraints.groups.push_back({{1, n - 1}, false, ""});
    if (random.below(2)) constraints.fixed.push_back({2, static_cast<uint8_t>(random.below(2))});
    return constraints;
}

// What of a problem a format can hold: without constraints but for json and lp, and for rudy's
// formats without the fields of spins.
inline Problem fitted(Problem problem, Format format) {
    const bool constraints = format == Format::kOwnJson || format == Format::kLp;
    if (!constraints) problem.constraints = {};
    if (format != Format::kRudy && format != Format::kRudyIsing) return problem;
    Ising ising = to_ising(sparse_of(problem));
    ising.h.assign(ising.h.size(), 0.0);
    problem.form = from_ising(ising);
    return problem;
}

inline Problem read_text(std::string_view text, Format format, std::string_view name = "file",
                         const ReadOptions& options = {}) {
    return read_problem({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, name, format,
                        options);
}

// Written and read again. `problem` must fit.
inline Problem there_and_back(const Problem& problem, Format format) {
    return read_text(write_problem(problem, format), format);
}

}  // namespace adiabat::qubo
