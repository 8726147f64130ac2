// SPDX-License-Identifier: Apache-2.0
#pragma once

// Exact distributions of the slices of a path integral (sliced_walk.h), for its tests.

#include <vector>

#include "adiabat/anneal/boltzmann.test.h"
#include "adiabat/anneal/sliced_walk.h"

namespace adiabat::anneal::testing {

// -log of the weight of slices, packed n bits each.
inline double action(const qubo::Problem& problem, const SliceWeights& weights, uint64_t word,
                     int slices) {
    const int n = problem.variables();
    const uint64_t mask = (uint64_t{1} << n) - 1;
    double sum = 0;
    for (int m = 0; m < slices; ++m) {
        const uint64_t own = word >> (m * n) & mask, next = word >> ((m + 1) % slices * n) & mask;
        sum += weights.energy * problem.energy(bits_of(own, n));
        for (int i = 0; i < n; ++i) sum -= weights.link * ((own ^ next) >> i & 1 ? -1 : 1);
    }
    return sum;
}

// Of all words of slices.
inline std::vector<double> slices_distribution(const qubo::Problem& problem,
                                               const SliceWeights& weights, int slices) {
    std::vector<double> actions;
    for (uint64_t word = 0; word < uint64_t{1} << (problem.variables() * slices); ++word)
        actions.push_back(action(problem, weights, word, slices));
    return normalized(actions);
}

inline uint64_t word_of_slices(const SlicedWalk& walk) {
    uint64_t word = 0;
    for (int m = 0; m < walk.slices(); ++m)
        word |= word_of(walk.slice(m).x()) << (m * walk.slice(m).variables());
    return word;
}

}  // namespace adiabat::anneal::testing
