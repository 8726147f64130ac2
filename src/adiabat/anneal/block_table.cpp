// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/block_table.h"

#include <algorithm>
#include <limits>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kLanes = 8;

// sums[word] = sum of the values of its bits.
void subset_sums(std::span<const double> values, double* const sums) {
    sums[0] = 0;
    for (size_t k = 0; k < values.size(); ++k) {
        const size_t half = size_t{1} << k;
        const double value = values[k];
        for (size_t word = 0; word < half; ++word) sums[half + word] = sums[word] + value;
    }
}

double lowest_of(const double* const values, size_t count) {
    if (count < kLanes) return *std::min_element(values, values + count);
    // A minimum a lane: the compiler may not reorder a single one.
    std::array<double, kLanes> lanes;
    std::copy_n(values, kLanes, lanes.begin());
    for (size_t word = kLanes; word < count; word += kLanes) {
        for (size_t lane = 0; lane < kLanes; ++lane) {
            const double value = values[word + lane];
            lanes[lane] = value < lanes[lane] ? value : lanes[lane];
        }
    }
    return *std::ranges::min_element(lanes);
}

}  // namespace

BlockTable::BlockTable(int bits, std::span<const double> couplings,
                       std::span<const IntervalRow> rows, std::span<const double> coefficients)
    : bits_(bits), pairs_(size_t{1} << bits) {
    ADIABAT_CHECK(bits >= 0 && bits <= kMostBits, "{} bits", bits);
    const auto n = static_cast<size_t>(bits);
    for (size_t k = 0; k < n; ++k) {
        // Words with top bit k: those of the bits below, with the couplings of k as fields.
        const size_t half = size_t{1} << k;
        std::vector<double> sums(half);
        subset_sums(couplings.subspan(k * n, k), sums.data());
        for (size_t word = 0; word < half; ++word) pairs_[half + word] = pairs_[word] + sums[word];
    }
    for (size_t r = 0; r < rows.size(); ++r) {
        std::vector<double> sums(words());
        subset_sums(coefficients.subspan(r * n, n), sums.data());
        const auto [least, most] = std::ranges::minmax(sums);
        rows_.push_back({rows[r].lower, rows[r].upper, least, most, std::move(sums)});
    }
}

double BlockTable::fill(std::span<const double> fields, std::span<const double> row_values,
                        Energies& energies) const {
    for (size_t r = 0; r < rows_.size(); ++r) {
        const Row& row = rows_[r];
        if (row_values[r] + row.most < row.lower || row_values[r] + row.least > row.upper)
            return kInfinity;
    }
    double* const e = energies.data();
    const size_t count = words();
    subset_sums(fields.first(static_cast<size_t>(bits_)), e);
    for (size_t word = 0; word < count; ++word) e[word] += pairs_[word];
    for (size_t r = 0; r < rows_.size(); ++r) {
        const Row& row = rows_[r];
        const double lower = row.lower - row_values[r], upper = row.upper - row_values[r];
        if (row.least >= lower && row.most <= upper) continue;
        const double* const sums = row.sums.data();
        for (size_t word = 0; word < count; ++word) {
            const bool keeps = (sums[word] >= lower) & (sums[word] <= upper);
            e[word] = keeps ? e[word] : kInfinity;
        }
    }
    return lowest_of(e, count);
}

uint32_t BlockTable::find(const Energies& energies, double lowest) const {
    const auto* const end = energies.data() + words();
    return static_cast<uint32_t>(std::find(energies.data(), end, lowest) - energies.data());
}

}  // namespace adiabat::anneal
