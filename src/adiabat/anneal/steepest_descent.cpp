// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/steepest_descent.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace adiabat::anneal {

double energy_tolerance(const qubo::Dense& problem) {
    double largest = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        double lowest = problem.linear(i), highest = lowest;
        for (const double coupling : problem.row(i)) (coupling < 0 ? lowest : highest) += coupling;
        largest = std::max({largest, -lowest, highest});
    }
    return 1e-12 * (largest > 0 ? largest : 1.0);
}

int64_t descend(const qubo::Dense& problem, std::span<uint8_t> x, double tolerance) {
    std::vector<double> field = problem.fields(x);
    int64_t flips = 0;
    for (;; ++flips) {
        size_t best = x.size();
        double lowest = -tolerance;
        for (size_t i = 0; i < x.size(); ++i) {
            const double change = x[i] ? -field[i] : field[i];
            if (change < lowest) {
                lowest = change;
                best = i;
            }
        }
        if (best == x.size()) return flips;
        const double sign = x[best] ? -1.0 : 1.0;
        x[best] ^= 1;
        problem.add_row(static_cast<int>(best), sign, field);
    }
}

}  // namespace adiabat::anneal
