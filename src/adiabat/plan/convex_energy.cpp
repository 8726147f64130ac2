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
// Of the largest coupling of a layer's widths.
constexpr double kGroupWeight = 0.5;

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

qubo::Dense with_groups(const Hamiltonian& hamiltonian) {
    qubo::Dense problem = qubo::dense_of(hamiltonian.problem);
    add_groups(hamiltonian.encoding, problem);
    return problem;
}

std::vector<double> search(const qubo::Dense& problem, uint64_t seed, const anneal::Watch& watch) {
    anneal::Mixing mixing(view(problem), problem.linear(), seed);
    mixing.run(kMostSweeps, kPrecision, watch);
    return mixing.shift();
}

}  // namespace

std::vector<double> flat_shift(const Hamiltonian& hamiltonian, uint64_t seed,
                               const anneal::Watch& watch) {
    qubo::Dense problem = with_groups(hamiltonian);
    for (int i = 0; i < problem.variables(); ++i) {
        // No linear terms in spins are left.
        double sum = 0;
        for (double coupling : problem.row(i)) sum += coupling;
        problem.add_linear(i, -sum / 2 - problem.linear(i));
    }
    return search(problem, seed, watch);
}

std::vector<double> priced_shift(const Hamiltonian& hamiltonian, std::span<const double> prices,
                                 uint64_t seed, const anneal::Watch& watch) {
    qubo::Dense problem = with_groups(hamiltonian);
    for (int i = 0; i < problem.variables(); ++i) {
        problem.add_linear(i, prices[static_cast<size_t>(i)]);
    }
    return search(problem, seed, watch);
}

ConvexEnergy::ConvexEnergy(const Hamiltonian& hamiltonian, std::vector<double> shift) {
    const qubo::Dense problem = with_groups(hamiltonian);
    const int n = problem.variables();
    ADIABAT_CHECK(std::ssize(shift) == n, "{} shifts for {} variables", shift.size(), n);
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
