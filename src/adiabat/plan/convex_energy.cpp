// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/convex_energy.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "adiabat/anneal/bounds/positive_shift.h"
#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

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

}  // namespace

qubo::Dense with_groups(const Hamiltonian& hamiltonian) {
    qubo::Dense problem = qubo::dense_of(hamiltonian.problem);
    add_groups(hamiltonian.encoding, problem);
    return problem;
}

ConvexEnergy::ConvexEnergy(const qubo::Dense& energy, std::vector<Product> products,
                           std::vector<double> shift)
    : products_(std::move(products)) {
    qubo::Dense problem = energy;
    double sizes = std::abs(problem.offset());
    for (const Product& p : products_) {
        problem.add_coupling(p.i, p.j, p.only_i + p.only_j - p.neither);
        problem.add_linear(p.i, -p.only_i);
        problem.add_linear(p.j, -p.only_j);
        sizes += p.neither + 2 * (p.only_i + p.only_j);
    }
    const int n = problem.variables();
    ADIABAT_CHECK(std::ssize(shift) == n, "{} shifts for {} variables", shift.size(), n);
    // The certificate must not end early: a diagonal that dominates is far too much.
    shift = anneal::enough_diagonal(view(problem), std::move(shift), {});
    constant_ = problem.offset();
    linear_.resize(n);
    curvature_.resize(n, n);
    for (int i = 0; i < n; ++i) {
        const double u = shift[static_cast<size_t>(i)];
        linear_[i] = problem.linear(i) - u / 2;
        sizes += std::abs(energy.linear(i)) + std::abs(problem.linear(i)) + u;
        for (int j = 0; j < n; ++j) {
            curvature_(i, j) = i == j ? u : problem.coupling(i, j);
            sizes += (std::abs(energy.coupling(i, j)) + std::abs(problem.coupling(i, j))) / 2;
        }
    }
    rounding_ = 4 * std::numeric_limits<double>::epsilon() * (n + 8) * sizes;
}

ConvexEnergy::GivenBack ConvexEnergy::given_back(std::span<const Settled> variables) const {
    GivenBack back{0, Eigen::VectorXd::Zero(linear_.size())};
    const auto add = [&](int i, double value) {
        const Settled settled = variables[static_cast<size_t>(i)];
        if (settled == Settled::kFree) back.linear[i] += value;
        if (settled == Settled::kCut) back.constant += value;
    };
    for (const Product& p : products_) {
        const Settled i = variables[static_cast<size_t>(p.i)];
        const Settled j = variables[static_cast<size_t>(p.j)];
        if (i == Settled::kKept) {
            add(p.j, p.only_j);
        } else if (j == Settled::kKept) {
            add(p.i, p.only_i);
        } else if (i == Settled::kCut) {
            add(p.j, p.neither - p.only_i);
            back.constant += p.only_i;
        } else if (j == Settled::kCut) {
            add(p.i, p.neither - p.only_j);
            back.constant += p.only_j;
        }
    }
    return back;
}

}  // namespace adiabat::plan
