// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: Hamiltonians of random couplings, one-hot widths; and all plans of a small network.

#include <cmath>
#include <vector>

#include "adiabat/plan/fixture.test.h"
#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

// Couplings of both signs between all variables; cutting mostly costs, so do narrow widths.
inline Hamiltonian random_hamiltonian(const Network& network, uint64_t seed) {
    Hamiltonian result{"random", one_hot_encoding(network), {}};
    const Encoding& encoding = result.encoding;
    result.problem.names = variable_names(network, encoding);
    Random random(seed, 0x7E57);
    qubo::Dense problem(encoding.variables);
    for (int i = 0; i < encoding.variables; ++i) {
        problem.add_linear(i, std::abs(random.normal()));
        for (int j = 0; j < i; ++j) problem.add_coupling(i, j, 0.3 * random.normal());
    }
    for (const auto& layer : encoding.layers) {
        if (layer.count == 0) continue;
        qubo::Group group;
        for (const auto& word : layer.words) {
            const auto bit = static_cast<int>(group.members.size());
            group.members.push_back(layer.first + bit);
            problem.add_linear(layer.first + bit, 8 * std::pow(3.0, kMinBits - word.bits));
        }
        result.problem.constraints.groups.push_back(group);
    }
    result.problem.form = std::move(problem);
    return result;
}

// Squares of all variables and a block a family: the form of large networks.
inline Hamiltonian random_factored(const Network& network, uint64_t seed) {
    Hamiltonian result = random_hamiltonian(network, seed);
    const int n = result.encoding.variables;
    constexpr int kRank = 5;
    Random random(seed, 0x7E58);
    qubo::Factored problem(n);
    std::vector<double> columns, constants, weights;
    for (int k = 0; k < n * kRank; ++k) columns.push_back(0.3 * random.normal());
    for (int k = 0; k < kRank; ++k) {
        constants.push_back(random.normal());
        weights.push_back(random.normal());
    }
    problem.add_squares(columns, constants, weights);
    for (int i = 0; i < n; ++i) problem.add_linear(i, std::abs(random.normal()));
    for (size_t f = 0; f < network.families(); ++f) {
        const auto size = static_cast<size_t>(network.groups(f));
        std::vector<double> block(size * size);
        for (size_t i = 0; i < size; ++i) {
            for (size_t j = 0; j <= i; ++j) {
                block[i * size + j] = block[j * size + i] = 0.2 * random.normal();
            }
        }
        problem.add_block(result.encoding.first_cut[f], static_cast<int>(size), block);
    }
    result.problem.form = std::move(problem);
    return result;
}

// The plan, and where it says of what would be a branch's own what plans without it say, that too.
template <typename Visit>
void for_each_set_of_branches(const Network& network, const Plan& plan, Visit&& visit) {
    std::vector<size_t> may_go;
    for (size_t b = 0; b < network.branches.size(); ++b) {
        bool untouched = true;
        for (size_t k : network.branches[b].layers) {
            untouched = untouched && plan.bits[k] == network.widths(k).back();
        }
        for (size_t f : network.branches[b].families) {
            untouched = untouched && cut_count(plan, f) == 0;
        }
        if (untouched) may_go.push_back(b);
    }
    for (uint32_t word = 0; word < 1u << may_go.size(); ++word) {
        Plan some = plan;
        for (size_t i = 0; i < may_go.size(); ++i) {
            if (word >> i & 1) drop(network, some, may_go[i]);
        }
        visit(some);
    }
}

// Calls visit(plan) for every plan there is.
template <typename Visit>
void for_each_plan(const Network& network, Visit&& visit) {
    Plan plan = uniform_plan(network, kMinBits);
    std::vector<uint8_t*> flags;
    for (auto& cut : plan.cut) {
        for (uint8_t& flag : cut) flags.push_back(&flag);
    }
    for (uint64_t word = 0; word < uint64_t{1} << flags.size(); ++word) {
        for (size_t i = 0; i < flags.size(); ++i) *flags[i] = word >> i & 1;
        bool allowed = true;
        for (size_t f = 0; f < plan.cut.size(); ++f) {
            const int64_t kept = network.groups(f) - cut_count(plan, f);
            allowed = allowed && kept == allowed_kept(network, f, kept);
        }
        if (!allowed) continue;
        // Odometer over the widths.
        std::vector<size_t> at(network.tensors(), 0);
        for (size_t k = 0; k < at.size();) {
            for (size_t j = 0; j < at.size(); ++j) plan.bits[j] = network.widths(j)[at[j]];
            for_each_set_of_branches(network, plan, visit);
            for (k = 0; k < at.size() && ++at[k] == network.widths(k).size(); ++k) at[k] = 0;
        }
    }
}

}  // namespace adiabat::plan
