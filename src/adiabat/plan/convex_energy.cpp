// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/convex_energy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "adiabat/anneal/bounds/mixing.h"
#include "adiabat/anneal/bounds/positive_shift.h"
#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

constexpr int kMostSweeps = 400;
constexpr double kPrecision = 1e-6;
// A variable that seems settled may not be.
constexpr double kLeastSpread = 0.05;
// Of the largest coupling of a layer's widths.
constexpr double kGroupWeight = 4;

anneal::Symmetric view(const qubo::Dense& problem) {
    const auto n = static_cast<size_t>(problem.variables());
    return {n > 0 ? problem.row(0).data() : nullptr, n, n};
}

// weight (sum - 1)^2 for each layer's widths.
void add_groups(const Encoding& encoding, qubo::Dense& problem) {
    for (const Encoding::LayerBits& layer : encoding.layers) {
        const bool one_hot = std::all_of(layer.words.begin(), layer.words.end(), [](const auto& w) {
            return std::has_single_bit(w.pattern);
        });
        if (!one_hot || layer.count < 2) continue;
        double largest = 0;
        std::vector<qubo::Term> terms;
        for (int i = layer.first; i < layer.first + layer.count; ++i) {
            terms.push_back({i, 1});
            for (double coupling : problem.row(i)) largest = std::max(largest, std::abs(coupling));
        }
        problem.add_squared(terms, -1, kGroupWeight * largest);
    }
}

// The u of least s.u: with y of unit vectors for couplings sqrt(s_i s_j) J_ij, u_i = y_i / s_i.
std::vector<double> best_shift(const qubo::Dense& problem, std::span<const double> spread,
                               uint64_t seed, const anneal::Watch& watch) {
    const int n = problem.variables();
    std::vector<double> root;
    const double most = spread.empty() ? 0 : *std::max_element(spread.begin(), spread.end());
    for (double s : spread) root.push_back(std::sqrt(std::max(s, kLeastSpread * std::max(most, 1e-9))));
    qubo::Dense scaled(n);
    for (int i = 0; i < n; ++i) {
        double sum = 0;
        for (int j = 0; j < n; ++j) {
            const double value = problem.coupling(i, j) * root[static_cast<size_t>(i)] *
                                 root[static_cast<size_t>(j)];
            if (j > i) scaled.add_coupling(i, j, value);
            if (j != i) sum += value;
        }
        scaled.add_linear(i, -sum / 2);  // no linear terms in spins
    }
    anneal::Mixing mixing(view(scaled), scaled.linear(), seed);
    mixing.run(kMostSweeps, kPrecision, watch);
    std::vector<double> shift = mixing.shift();
    for (size_t i = 0; i < shift.size(); ++i) shift[i] /= root[i] * root[i];
    return shift;
}

}  // namespace

ConvexEnergy::ConvexEnergy(const Hamiltonian& hamiltonian, std::span<const double> spread,
                           uint64_t seed, const anneal::Watch& watch) {
    qubo::Dense problem = qubo::dense_of(hamiltonian.problem);
    const int n = problem.variables();
    ADIABAT_CHECK(std::ssize(spread) == n, "{} spreads for {} variables", spread.size(), n);
    add_groups(hamiltonian.encoding, problem);
    std::vector<double> shift = best_shift(problem, spread, seed, watch);
    // The certificate must not end early: a diagonal that dominates is far too much.
    shift = anneal::enough_diagonal(view(problem), std::move(shift), {});
    constant_ = problem.offset();
    linear_.resize(n);
    curvature_.resize(n, n);
    double sizes = std::abs(constant_);
    for (int i = 0; i < n; ++i) {
        const double u = shift[static_cast<size_t>(i)];
        linear_[i] = problem.linear(i) - u / 2;
        sizes += std::abs(problem.linear(i)) + u;
        for (int j = 0; j < n; ++j) {
            curvature_(i, j) = i == j ? u : problem.coupling(i, j);
            sizes += std::abs(problem.coupling(i, j)) / 2;
        }
    }
    rounding_ = 4 * std::numeric_limits<double>::epsilon() * (n + 8) * sizes;
}

}  // namespace adiabat::plan
