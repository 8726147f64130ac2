// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/dense.h"

#include <cmath>
#include <utility>

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
    couplings_ = HugeVector<double>(n * n);
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

void Dense::add_upper_rows(int first, std::span<const std::vector<double>> rows,
                           const StopToken& stop) {
    const auto count = static_cast<int>(rows.size());
    ADIABAT_CHECK(first >= 0 && count <= variables() - first, "rows {} to {} of {}", first,
                  first + count, variables());
    for (int r = 0; r < count; ++r) {
        const int i = first + r;
        const auto& row = rows[static_cast<size_t>(r)];
        ADIABAT_CHECK(std::cmp_equal(row.size(), variables() - i - 1), "{} couplings in row {}",
                      row.size(), i);
        for (const double value : row)
            if (!std::isfinite(value))
                throw InputError("a coupling of variable {} is {}", i, value);
        for (size_t k = 0; k < row.size(); ++k) couplings_[at(i, i + 1) + k] += row[k];
    }
    for (int j = first + 1; j < variables(); ++j) {
        // Every time: the first touch of a page is slow.
        if (stop.requested()) throw Interrupted();
        for (int r = 0; r < count && first + r < j; ++r)
            couplings_[at(j, first + r)] +=
                rows[static_cast<size_t>(r)][static_cast<size_t>(j - first - r) - 1];
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
    // Several rows at once: the sum of one row is a chain of additions that wait for each other.
    constexpr size_t kRows = 4;
    std::vector<int> set;
    for (int i = 0; i < variables(); ++i)
        if (x[static_cast<size_t>(i)]) set.push_back(i);
    double energy = offset_;
    size_t k = 0;
    for (; k + kRows <= set.size(); k += kRows) {
        const double* rows[kRows];
        double fields[kRows];
        for (size_t r = 0; r < kRows; ++r) {
            rows[r] = couplings_.data() + at(set[k + r], 0);
            fields[r] = linear(set[k + r]);
        }
        for (size_t before = 0; before < k; ++before)
            for (size_t r = 0; r < kRows; ++r) fields[r] += rows[r][set[before]];
        for (size_t r = 0; r < kRows; ++r) {
            for (size_t before = k; before < k + r; ++before) fields[r] += rows[r][set[before]];
            energy += fields[r];
        }
    }
    for (; k < set.size(); ++k) {
        const double* const row = couplings_.data() + at(set[k], 0);
        double field = linear(set[k]);
        for (size_t before = 0; before < k; ++before) field += row[set[before]];
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
