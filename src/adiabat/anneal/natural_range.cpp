// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/natural_range.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adiabat::anneal {

namespace {

constexpr double kFinestShare = 1.0 / 32;
constexpr int kMostRows = 2048;
constexpr int64_t kTermsBetweenChecks = 1 << 18;

// What one variable adds to the range.
struct Scales {
    double largest = 0, finest = std::numeric_limits<double>::infinity();

    void add(double mean, double squares, double smallest) {
        const double typical = std::sqrt(mean * mean + squares);
        if (typical == 0) return;
        largest = std::max(largest, typical);
        finest = std::min(finest, std::max(smallest, kFinestShare * typical));
    }

    BetaRange range() const {
        if (largest == 0) return {};
        const double hot = std::log(2) / largest;
        return {hot, std::max(hot, std::log(100) / finest)};
    }
};

// With x of independent halves, z_k = b_k + a_k.x has mean b_k + s_k / 2; the field of i is
// sum_k 2 w_k a_ik z_k without its own part.
Scales scales_of(const qubo::Factored& problem) {
    const auto weights = problem.weights();
    std::vector<double> sums(weights.size(), 0.0);
    for (int i = 0; i < problem.variables(); ++i) {
        const auto a = problem.row(i);
        for (size_t k = 0; k < sums.size(); ++k) sums[k] += a[k];
    }
    // Squared sizes of a_k and the mean z_k; couplings between forms are neglected.
    std::vector<double> squared(weights.size(), 0.0);
    for (int i = 0; i < problem.variables(); ++i) {
        const auto a = problem.row(i);
        for (size_t k = 0; k < sums.size(); ++k) squared[k] += a[k] * a[k];
    }
    Scales scales;
    for (int i = 0; i < problem.variables(); ++i) {
        const auto a = problem.row(i);
        double mean = problem.linear(i), variance = 0;
        for (size_t k = 0; k < sums.size(); ++k) {
            const double own = 2 * weights[k] * a[k];
            mean +=
                own * (problem.constants()[k] + (sums[k] - a[k]) / 2) + weights[k] * a[k] * a[k];
            variance += own * own * (squared[k] - a[k] * a[k]) / 4;
        }
        if (const qubo::DenseBlock* const block = problem.block_of(i)) {
            const auto n = static_cast<size_t>(block->size);
            const double* const row =
                block->values.data() + static_cast<size_t>(i - block->first) * n;
            for (size_t j = 0; j < n; ++j) {
                mean += row[j];
                variance += row[j] * row[j];
            }
        }
        scales.add(mean, variance, 0);
    }
    return scales;
}

}  // namespace

BetaRange natural_range(const qubo::Problem& problem, const Watch* watch) {
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form))
        return scales_of(*factored).range();
    const int n = problem.variables();
    const bool dense = std::holds_alternative<qubo::Dense>(problem.form);
    const int rows = dense ? std::min(n, kMostRows) : n;
    Scales scales;
    int64_t seen = 0;
    for (int k = 0; k < rows; ++k) {
        if (watch && seen > kTermsBetweenChecks) {
            if (watch->over()) break;
            seen = 0;
        }
        const auto i = static_cast<int>(int64_t{k} * n / rows);
        double mean = problem.linear(i), squares = 0;
        double smallest = mean == 0 ? std::numeric_limits<double>::infinity() : std::abs(mean);
        qubo::for_each_coupling(problem, i, [&](int, double coupling) {
            mean += coupling / 2;
            squares += coupling * coupling / 4;
            smallest = std::min(smallest, std::abs(coupling));
        });
        seen += dense ? n : 1;
        scales.add(mean, squares, smallest);
    }
    return scales.range();
}

CouplingScales coupling_scales(const qubo::Dense& problem) {
    CouplingScales scales;
    for (int i = 0; i < problem.variables(); ++i) {
        double sum = 0, squares = 0, smallest = std::numeric_limits<double>::infinity();
        for (const double coupling : problem.row(i)) {
            sum += coupling / 2;
            squares += coupling * coupling / 4;
            if (coupling != 0) smallest = std::min(smallest, std::abs(coupling));
        }
        scales.half_sums.push_back(sum);
        scales.squares.push_back(squares);
        scales.smallest.push_back(smallest);
    }
    return scales;
}

BetaRange natural_range(const CouplingScales& couplings, std::span<const double> linear) {
    Scales scales;
    for (size_t i = 0; i < linear.size(); ++i) {
        const double own =
            linear[i] == 0 ? std::numeric_limits<double>::infinity() : std::abs(linear[i]);
        scales.add(linear[i] + couplings.half_sums[i], couplings.squares[i],
                   std::min(own, couplings.smallest[i]));
    }
    return scales.range();
}

double beta_at(const BetaRange& range, Shape shape, int64_t sweep, int64_t sweeps) {
    if (sweep + 1 >= sweeps || range.min == range.max) return range.max;
    const double part = static_cast<double>(sweep) / static_cast<double>(sweeps - 1);
    if (shape == Shape::kLinear || range.min <= 0)
        return range.min + part * (range.max - range.min);
    return range.min * std::exp(part * std::log(range.max / range.min));
}

}  // namespace adiabat::anneal
