// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/local_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "adiabat/anneal/row_sums.h"

namespace adiabat::anneal {

namespace {

constexpr size_t kTermsBetweenChecks = 1 << 18;

// With fields at hand an energy takes no pass over the couplings: a variable that is set adds its
// linear term and half of its couplings to others that are.
template <typename Form>
double energy_from(const Form& problem, std::span<const uint8_t> x,
                   std::span<const double> fields) {
    double twice = 0;
    for (size_t i = 0; i < x.size(); ++i) twice += x[i] ? problem.linear()[i] + fields[i] : 0.0;
    return problem.offset() + twice / 2;
}

// The largest change that a flip can make; of the rows seen before `watch` was over.
template <typename Form>
double largest_change(const Form& problem, const Watch* watch) {
    double largest = 0;
    size_t seen = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        const auto row = couplings_of(problem, i);
        const RowSums sums = row_sums(row);
        const double linear = problem.linear(i);
        largest = std::max({largest, -(linear + sums.negative), linear + sums.positive});
        seen += row.size();
        if (!watch || seen < kTermsBetweenChecks) continue;
        if (watch->over()) break;
        seen = 0;
    }
    return largest;
}

// |field| <= |h| + sum_k 2 |w_k a_ik| (|b_k| + sum_j |a_jk|), without forming a row.
double largest_change(const qubo::Factored& problem) {
    double largest = 0;
    const auto weights = problem.weights();
    std::vector<double> sums(weights.size());
    for (size_t k = 0; k < sums.size(); ++k) sums[k] = std::abs(problem.constants()[k]);
    for (int i = 0; i < problem.variables(); ++i) {
        const auto a = problem.row(i);
        for (size_t k = 0; k < sums.size(); ++k) sums[k] += std::abs(a[k]);
    }
    for (int i = 0; i < problem.variables(); ++i) {
        double size = std::abs(problem.linear(i));
        const auto a = problem.row(i);
        for (size_t k = 0; k < sums.size(); ++k) size += 2 * std::abs(weights[k] * a[k]) * sums[k];
        if (const qubo::DenseBlock* const block = problem.block_of(i)) {
            const auto n = static_cast<size_t>(block->size);
            size +=
                2 * row_sums({block->values.data() + static_cast<size_t>(i - block->first) * n, n})
                        .sizes();
        }
        largest = std::max(largest, size);
    }
    return largest;
}

}  // namespace

std::optional<FieldsAndEnergy> fields_and_energy(const qubo::Problem& problem,
                                                 std::span<const uint8_t> x, const Watch* watch) {
    const auto* const dense = std::get_if<qubo::Dense>(&problem.form);
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form)) {
        FieldsAndEnergy result{sparse->fields(x)};
        result.energy = energy_from(*sparse, x, result.fields);
        return result;
    }
    if (!dense) return FieldsAndEnergy{problem.fields(x), problem.energy(x)};
    FieldsAndEnergy result{{dense->linear().begin(), dense->linear().end()}};
    size_t seen = 0;
    for (int i = 0; i < dense->variables(); ++i) {
        if (!x[static_cast<size_t>(i)]) continue;
        dense->add_row(i, 1.0, result.fields);
        seen += x.size();
        if (!watch || seen < kTermsBetweenChecks) continue;
        if (watch->over()) return {};
        seen = 0;
    }
    result.energy = energy_from(*dense, x, result.fields);
    return result;
}

LocalFields::LocalFields(const qubo::Problem& problem, std::span<const uint8_t> x,
                         const Watch* watch)
    : problem_(problem), watch_(watch) {
    set(x);
}

void LocalFields::set(std::span<const uint8_t> x) {
    x_.assign(x.begin(), x.end());
    flips_ = 0;
    if (auto found = fields_and_energy(problem_, x_, watch_)) {
        fields_ = std::move(found->fields);
        energy_ = found->energy;
        return;
    }
    fields_.assign(x_.size(), 0.0);
    energy_ = std::numeric_limits<double>::infinity();
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

double energy_tolerance(const qubo::Problem& problem, const Watch* watch) {
    double largest = 0;
    if (const auto* const dense = std::get_if<qubo::Dense>(&problem.form))
        largest = largest_change(*dense, watch);
    else if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form))
        largest = largest_change(*sparse, watch);
    else
        largest = largest_change(std::get<qubo::Factored>(problem.form));
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
