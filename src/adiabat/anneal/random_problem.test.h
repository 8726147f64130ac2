// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random small problems in every form, with and without constraints, always satisfiable.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/qubo/problem.h"
#include "adiabat/qubo/random.h"

namespace adiabat::anneal {

struct RandomProblem {
    qubo::Problem problem;
    std::vector<uint8_t> feasible;  // an assignment that keeps the constraints
};

inline qubo::Energy random_form(int n, uint64_t seed) {
    Random random(seed, 0x7E57);
    const uint64_t kind = seed % 5;
    if (kind == 0) return qubo::random_dense(n, seed);
    if (kind == 1) return qubo::random_integer(n, seed);
    if (kind <= 3) {
        std::vector<qubo::Edge> edges;
        for (int e = 0; e < 2 * n; ++e) {
            const auto i = static_cast<int>(random.below(static_cast<uint32_t>(n)));
            const auto j = static_cast<int>(random.below(static_cast<uint32_t>(n)));
            edges.push_back({i, j, kind == 2 ? random.normal() : random.below(7) - 3.0});
        }
        return qubo::Sparse(n, edges, {}, random.normal());
    }
    qubo::Factored factored(n);
    factored.add_offset(random.normal());
    for (int i = 0; i < n; ++i) factored.add_linear(i, random.normal());
    for (int k = 0; k < 3; ++k) {
        std::vector<qubo::Term> terms;
        for (int i = 0; i < n; ++i) terms.push_back({i, random.normal()});
        factored.add_squared(terms, random.normal(), random.normal());
    }
    const int half = (n + 1) / 2;
    const auto size = static_cast<size_t>(half);
    std::vector<double> block(size * size);
    for (size_t i = 0; i < size; ++i) {
        for (size_t j = 0; j <= i; ++j) block[i * size + j] = block[j * size + i] = random.normal();
    }
    factored.add_block(n - half, half, block);
    return factored;
}

// A group, a budget and a fixed variable, each or none, around a random assignment.
inline RandomProblem random_problem(int n, uint64_t seed, bool constrained) {
    RandomProblem made{{random_form(n, seed)}, std::vector<uint8_t>(static_cast<size_t>(n))};
    Random random(seed, 0x7E58);
    auto& x = made.feasible;
    for (auto& value : x) value = static_cast<uint8_t>(random() & 1);
    if (!constrained) return made;
    qubo::Constraints& constraints = made.problem.constraints;
    const uint32_t kinds = random.below(7) + 1;  // bits: group, budget, fixed
    for (int first = 0; (kinds & 1) && first + 2 < n && first < 9; first += 3) {
        qubo::Group group{{first, first + 1, first + 2}, random.below(2) == 0};
        for (const int member : group.members) x[static_cast<size_t>(member)] = 0;
        if (group.exactly_one || random.below(2))
            x[static_cast<size_t>(first) + random.below(3)] = 1;
        constraints.groups.push_back(group);
    }
    if (kinds & 2) {
        qubo::LinearBudget budget;
        for (int i = 0; i < n; ++i) {
            if (random.below(4)) budget.terms.push_back({i, random.below(21) / 4.0 - 1});
        }
        const double value = budget.value(x);
        if (random.below(3)) budget.upper = value + random.below(3) / 4.0;
        if (random.below(3) == 0) budget.lower = value - random.below(3) / 4.0;
        constraints.budgets.push_back(budget);
    }
    if (kinds & 4) {
        const auto i = static_cast<int>(random.below(static_cast<uint32_t>(n)));
        constraints.fixed.push_back({i, x[static_cast<size_t>(i)]});
    }
    return made;
}

}  // namespace adiabat::anneal
