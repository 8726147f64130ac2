// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/dense.h"

#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::qubo {

Dense::Dense(int variables) {
    if (variables < 0 || variables > kMaxDenseVariables) {
        throw InputError("a dense problem takes 0 to {} variables, this one has {}",
                         format_count(kMaxDenseVariables), format_count(variables));
    }
    const auto n = static_cast<size_t>(variables);
    linear_.assign(n, 0.0);
    couplings_.assign(n * n, 0.0);
}

void Dense::check(int i, double value) const {
    ADIABAT_CHECK(i >= 0 && i < variables(), "variable {} of {}", i, variables());
    if (!std::isfinite(value)) throw InputError("coefficient of variable {} is {}", i, value);
}

void Dense::add_offset(double value) {
    if (!std::isfinite(value)) throw InputError("offset is {}", value);
    offset_ += value;
}

void Dense::add_linear(int i, double value) {
    check(i, value);
    linear_[static_cast<size_t>(i)] += value;
}

void Dense::add_coupling(int i, int j, double value) {
    check(i, value);
    check(j, value);
    if (i == j) {
        linear_[static_cast<size_t>(i)] += value;
    } else {
        couplings_[at(i, j)] += value;
        couplings_[at(j, i)] += value;
    }
}

void Dense::add_squared(std::span<const Term> terms, double constant, double weight) {
    add_offset(weight * constant * constant);
    for (size_t k = 0; k < terms.size(); ++k) {
        const auto [i, c] = terms[k];
        add_linear(i, weight * c * (c + 2 * constant));
        for (const auto [j, d] : terms.first(k)) add_coupling(i, j, 2 * weight * c * d);
    }
}

double Dense::energy(std::span<const uint8_t> x) const {
    ADIABAT_CHECK(x.size() == linear_.size(), "{} values for {} variables", x.size(), variables());
    double energy = offset_;
    for (int i = 0; i < variables(); ++i) {
        if (!x[static_cast<size_t>(i)]) continue;
        double field = linear(i);
        const double* const row_i = couplings_.data() + at(i, 0);
        for (int j = 0; j < i; ++j) field += x[static_cast<size_t>(j)] ? row_i[j] : 0.0;
        energy += field;
    }
    return energy;
}

double Dense::energy_of_word(uint64_t word) const {
    ADIABAT_CHECK(variables() <= 64, "a word for {} variables", variables());
    std::vector<uint8_t> x(linear_.size());
    for (size_t i = 0; i < x.size(); ++i) x[i] = (word >> i) & 1;
    return energy(x);
}

std::vector<double> Dense::fields(std::span<const uint8_t> x) const {
    ADIABAT_CHECK(x.size() == linear_.size(), "{} values for {} variables", x.size(), variables());
    std::vector<double> field = linear_;
    for (int i = 0; i < variables(); ++i) {
        if (x[static_cast<size_t>(i)]) add_row(i, 1.0, field);
    }
    return field;
}

void Dense::add_row(int i, double sign, std::span<double> field) const {
    const double* const source = couplings_.data() + at(i, 0);
    double* const target = field.data();
    const size_t n = linear_.size();
    for (size_t j = 0; j < n; ++j) target[j] += sign * source[j];
}

}  // namespace adiabat::qubo
