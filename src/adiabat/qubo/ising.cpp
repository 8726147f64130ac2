// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/ising.h"

#include "adiabat/base/errors.h"

namespace adiabat::qubo {

double Ising::energy(std::span<const int8_t> s) const {
    ADIABAT_CHECK(s.size() == h.size(), "{} spins for {} variables", s.size(), h.size());
    double energy = offset;
    for (size_t i = 0; i < h.size(); ++i) energy += h[i] * s[i];
    for (const auto& [i, j, value] : couplings)
        energy += value * s[static_cast<size_t>(i)] * s[static_cast<size_t>(j)];
    return energy;
}

Sparse from_ising(const Ising& ising) {
    std::vector<double> linear(ising.h.size());
    double offset = ising.offset;
    for (size_t i = 0; i < linear.size(); ++i) {
        linear[i] = 2 * ising.h[i];
        offset -= ising.h[i];
    }
    std::vector<Edge> edges = ising.couplings;
    for (auto& [i, j, value] : edges) {
        offset += value;
        if (i == j) {  // s^2 = 1
            value = 0;
            continue;
        }
        linear[static_cast<size_t>(i)] -= 2 * value;
        linear[static_cast<size_t>(j)] -= 2 * value;
        value *= 4;
    }
    const auto n = static_cast<int>(linear.size());
    return {n, edges, std::move(linear), offset};
}

Ising to_ising(const Sparse& problem) {
    Ising ising;
    ising.offset = problem.offset();
    ising.h.resize(static_cast<size_t>(problem.variables()));
    for (int i = 0; i < problem.variables(); ++i) {
        double field = problem.linear(i) / 2;
        ising.offset += problem.linear(i) / 2;
        const auto row = problem.neighbors(i);
        const auto values = problem.couplings(i);
        for (size_t k = 0; k < row.size(); ++k) {
            field += values[k] / 4;
            if (row[k] < i) continue;
            ising.offset += values[k] / 4;
            ising.couplings.push_back({i, row[k], values[k] / 4});
        }
        ising.h[static_cast<size_t>(i)] = field;
    }
    return ising;
}

std::vector<int8_t> spins_of(std::span<const uint8_t> x) {
    std::vector<int8_t> s(x.size());
    for (size_t i = 0; i < x.size(); ++i) s[i] = x[i] ? 1 : -1;
    return s;
}

std::vector<uint8_t> binary_of(std::span<const int8_t> s) {
    std::vector<uint8_t> x(s.size());
    for (size_t i = 0; i < s.size(); ++i) x[i] = s[i] > 0 ? 1 : 0;
    return x;
}

}  // namespace adiabat::qubo
