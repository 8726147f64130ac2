// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/local_fields.h"

#include <algorithm>
#include <cmath>

namespace adiabat::anneal {

LocalFields::LocalFields(const qubo::Problem& problem, std::span<const uint8_t> x)
    : problem_(problem) {
    set(x);
}

void LocalFields::set(std::span<const uint8_t> x) {
    x_.assign(x.begin(), x.end());
    fields_ = problem_.fields(x_);
    energy_ = problem_.energy(x_);
    flips_ = 0;
}

void LocalFields::flip(int i) {
    const auto k = static_cast<size_t>(i);
    energy_ += change(i);
    const double sign = x_[k] ? -1.0 : 1.0;
    x_[k] ^= 1;
    problem_.add_row(i, sign, fields_);
    if (++flips_ >= 16 * static_cast<int64_t>(x_.size())) {
        const std::vector<uint8_t> x = x_;
        set(x);
    }
}

double energy_tolerance(const qubo::Problem& problem) {
    double largest = 0;
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form)) {
        // |field| <= |h| + sum_k 2 |w_k a_ik| (|b_k| + sum_j |a_jk|), without forming a row.
        const auto weights = factored->weights();
        std::vector<double> sums(weights.size());
        for (size_t k = 0; k < sums.size(); ++k) sums[k] = std::abs(factored->constants()[k]);
        for (int i = 0; i < factored->variables(); ++i) {
            const auto a = factored->row(i);
            for (size_t k = 0; k < sums.size(); ++k) sums[k] += std::abs(a[k]);
        }
        for (int i = 0; i < factored->variables(); ++i) {
            double size = std::abs(factored->linear(i));
            const auto a = factored->row(i);
            for (size_t k = 0; k < sums.size(); ++k)
                size += 2 * std::abs(weights[k] * a[k]) * sums[k];
            if (const qubo::DenseBlock* const block = factored->block_of(i)) {
                const auto n = static_cast<size_t>(block->size);
                const double* const row =
                    block->values.data() + static_cast<size_t>(i - block->first) * n;
                for (size_t j = 0; j < n; ++j) size += 2 * std::abs(row[j]);
            }
            largest = std::max(largest, size);
        }
    } else {
        for (int i = 0; i < problem.variables(); ++i) {
            double lowest = problem.linear(i), highest = lowest;
            qubo::for_each_coupling(
                problem, i, [&](int, double value) { (value < 0 ? lowest : highest) += value; });
            largest = std::max({largest, -lowest, highest});
        }
    }
    return 1e-12 * (largest > 0 ? largest : 1.0);
}

int64_t descend(LocalFields& state, double tolerance) {
    for (int64_t flips = 0;; ++flips) {
        int best = -1;
        double lowest = -tolerance;
        for (int i = 0; i < state.variables(); ++i) {
            if (const double change = state.change(i); change < lowest) {
                lowest = change;
                best = i;
            }
        }
        if (best < 0) return flips;
        state.flip(best);
    }
}

}  // namespace adiabat::anneal
