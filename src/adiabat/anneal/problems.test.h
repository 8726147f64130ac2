// SPDX-License-Identifier: Apache-2.0
#pragma once

// Small random problems of every form for the tests, and their exact distributions.

#include <cmath>
#include <string>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/qubo/problem.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal::testing {

enum class Form { kDense, kSparse, kFactored };
inline constexpr Form kForms[] = {Form::kDense, Form::kSparse, Form::kFactored};

// Coefficients of order one; couplings of about a third of all pairs where sparse; rank 3, a block
// and a squared budget where factored.
inline qubo::Problem random_problem(Form form, int n, uint64_t seed) {
    Random random(seed, 0x7E57);
    const auto draw = [&] { return 2 * random.uniform() - 1; };
    if (form == Form::kDense) return {qubo::random_dense(n, seed)};
    if (form == Form::kSparse) {
        std::vector<qubo::Edge> edges;
        std::vector<double> linear;
        for (int i = 0; i < n; ++i) {
            linear.push_back(draw());
            for (int j = 0; j < i; ++j)
                if (random.below(3) == 0) edges.push_back({i, j, draw()});
        }
        return {qubo::Sparse(n, edges, linear, draw())};
    }
    qubo::Factored factored(n);
    factored.add_offset(draw());
    for (int i = 0; i < n; ++i) factored.add_linear(i, draw());
    std::vector<double> u(static_cast<size_t>(n) * 2);
    for (double& value : u) value = draw();
    const double cross = draw();
    const double s[] = {draw(), cross, cross, draw()};
    factored.add_low_rank(u, s);
    if (n >= 2) {
        const int size = (n + 1) / 2;
        std::vector<double> block(static_cast<size_t>(size) * static_cast<size_t>(size));
        for (int i = 0; i < size; ++i) {
            for (int j = 0; j <= i; ++j) {
                const double value = draw() / 2;
                block[static_cast<size_t>(i) * static_cast<size_t>(size) + static_cast<size_t>(j)] =
                    value;
                block[static_cast<size_t>(j) * static_cast<size_t>(size) + static_cast<size_t>(i)] =
                    value;
            }
        }
        factored.add_block(n - size, size, block);
    }
    std::vector<qubo::Term> terms;
    for (int i = 0; i < n; ++i) terms.push_back({i, draw()});
    factored.add_squared(terms, draw(), 0.5);
    return {std::move(factored)};
}

// A budget that about half of all assignments keep, and two groups where there is room.
inline qubo::Constraints random_constraints(int n, uint64_t seed) {
    Random random(seed, 0x7E58);
    qubo::Constraints constraints;
    qubo::LinearBudget budget;
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const auto c = static_cast<double>(1 + random.below(9));
        budget.terms.push_back({i, c});
        sum += c;
    }
    budget.upper = std::floor(sum / 2);
    constraints.budgets.push_back(budget);
    if (n >= 6) {
        constraints.groups.push_back({{0, 2, 4}, true});
        constraints.groups.push_back({{1, 5}, false});
    }
    return constraints;
}

inline std::vector<uint8_t> bits_of(uint64_t word, int n) {
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) x[i] = word >> i & 1;
    return x;
}

// Exact Boltzmann probabilities of all assignments that keep the constraints.
inline std::vector<double> boltzmann(const qubo::Problem& problem, double beta) {
    const int n = problem.variables();
    std::vector<double> p(size_t{1} << n, 0.0);
    double sum = 0;
    for (uint64_t word = 0; word < p.size(); ++word) {
        const auto x = bits_of(word, n);
        if (problem.constraints.keeps(x)) p[word] = std::exp(-beta * problem.energy(x));
        sum += p[word];
    }
    for (double& value : p) value /= sum;
    return p;
}

}  // namespace adiabat::anneal::testing
