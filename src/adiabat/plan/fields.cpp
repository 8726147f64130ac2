// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/fields.h"

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

// In eight sums, which the compiler can keep in vectors without changing the order of additions.
double dot(std::span<const double> a, std::span<const double> b) {
    constexpr size_t kLanes = 8;
    double sum[kLanes] = {};
    const size_t whole = a.size() / kLanes * kLanes;
    for (size_t k = 0; k < whole; k += kLanes) {
        for (size_t lane = 0; lane < kLanes; ++lane) sum[lane] += a[k + lane] * b[k + lane];
    }
    for (size_t k = whole; k < a.size(); ++k) sum[k - whole] += a[k] * b[k];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

}  // namespace

Fields::Fields(const qubo::Problem& problem, std::span<const uint8_t> x)
    : problem_(problem),
      dense_(std::get_if<qubo::Dense>(&problem.form)),
      factored_(std::get_if<qubo::Factored>(&problem.form)),
      x_(x.begin(), x.end()) {
    ADIABAT_CHECK(std::ssize(x_) == problem.variables(), "{} values for {} variables", x_.size(),
                  problem.variables());
    if (dense_ && !x_.empty()) couplings_ = dense_->row(0).data();
    if (factored_) {
        for (int i = 0; i < factored_->variables(); ++i) {
            const auto row = factored_->row(i), weights = factored_->weights();
            double sum = 0;
            for (size_t k = 0; k < row.size(); ++k) sum += weights[k] * row[k] * row[k];
            squares_.push_back(sum);
        }
    }
    recompute();
}

void Fields::set(std::span<const uint8_t> x) {
    ADIABAT_CHECK(x.size() == x_.size(), "{} values for {} variables", x.size(), x_.size());
    x_.assign(x.begin(), x.end());
    recompute();
}

double Fields::recompute() {
    if (!factored_) {
        fields_ = problem_.fields(x_);
        return problem_.energy(x_);
    }
    fields_.assign(factored_->linear().begin(), factored_->linear().end());
    for (const qubo::DenseBlock& block : factored_->blocks()) {
        const auto size = static_cast<size_t>(block.size), first = static_cast<size_t>(block.first);
        for (size_t j = 0; j < size; ++j) {
            if (!x_[first + j]) continue;
            for (size_t i = 0; i < size; ++i) fields_[first + i] += 2 * block.values[j * size + i];
        }
    }
    pulls_.assign(factored_->constants().begin(), factored_->constants().end());
    for (int i = 0; i < factored_->variables(); ++i) {
        if (!x_[static_cast<size_t>(i)]) continue;
        const auto row = factored_->row(i);
        for (size_t k = 0; k < row.size(); ++k) pulls_[k] += row[k];
    }
    for (size_t k = 0; k < pulls_.size(); ++k) pulls_[k] *= 2 * factored_->weights()[k];
    return problem_.energy(x_);
}

// (z + s a)^2 - z^2 = s (2 a z + s a^2) in each square.
double Fields::field_of_squares(int i) const {
    return dot(factored_->row(i), pulls_) + sign(i) * squares_[static_cast<size_t>(i)];
}

double Fields::other_coupling(int i, int j) const {
    if (!factored_) return problem_.coupling(i, j);
    return factored_->coupling(i, j);
}

double Fields::energy_of(std::span<const int> flips) const {
    double energy = 0;
    for (int i : flips) energy += sign(i) * field(i);
    if (!factored_) {
        for (size_t a = 0; a < flips.size(); ++a) {
            for (size_t b = 0; b < a; ++b) {
                energy += sign(flips[a]) * sign(flips[b]) * coupling(flips[a], flips[b]);
            }
        }
        return energy;
    }
    // Of each square the products of all changes, less those of one with itself.
    std::vector<double> changes(factored_->weights().size(), 0.0);
    for (int i : flips) {
        const auto row = factored_->row(i);
        for (size_t k = 0; k < row.size(); ++k) changes[k] += sign(i) * row[k];
        energy -= squares_[static_cast<size_t>(i)];
    }
    for (size_t k = 0; k < changes.size(); ++k) {
        energy += factored_->weights()[k] * changes[k] * changes[k];
    }
    for (size_t a = 0; a < flips.size(); ++a) {
        const qubo::DenseBlock* const block = factored_->block_of(flips[a]);
        if (!block) continue;
        const auto size = static_cast<size_t>(block->size);
        const double* const values =
            block->values.data() + static_cast<size_t>(flips[a] - block->first) * size;
        for (size_t b = 0; b < a; ++b) {
            const int at = flips[b] - block->first;
            if (at < 0 || at >= block->size) continue;
            energy += 2 * sign(flips[a]) * sign(flips[b]) * values[at];
        }
    }
    return energy;
}

void Fields::flip(int i) {
    const double sign = this->sign(i);
    x_[static_cast<size_t>(i)] ^= 1;
    if (!factored_) {
        problem_.add_row(i, sign, fields_);
        return;
    }
    const auto row = factored_->row(i), weights = factored_->weights();
    for (size_t k = 0; k < row.size(); ++k) pulls_[k] += sign * 2 * weights[k] * row[k];
    if (const qubo::DenseBlock* const block = factored_->block_of(i)) {
        const auto size = static_cast<size_t>(block->size);
        const auto first = static_cast<size_t>(block->first);
        const double* const values = block->values.data() + (static_cast<size_t>(i) - first) * size;
        for (size_t j = 0; j < size; ++j) fields_[first + j] += 2 * sign * values[j];
    }
}

}  // namespace adiabat::plan
