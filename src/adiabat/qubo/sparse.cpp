// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/sparse.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::qubo {

namespace {

constexpr size_t kStepsBetweenLooks = 1 << 14;

struct Entry {
    int column;
    double value;
};

}  // namespace

Sparse::Sparse(int variables, std::span<const Edge> edges, std::vector<double> linear,
               double offset, const StopToken& stop)
    : offset_(offset), linear_(std::move(linear)) {
    if (variables < 0 || variables > kMaxSparseVariables) {
        throw InputError("a sparse problem takes 0 to {} variables, this one has {}",
                         format_count(kMaxSparseVariables), format_count(variables));
    }
    const auto n = static_cast<size_t>(variables);
    ADIABAT_CHECK(linear_.empty() || linear_.size() == n, "{} linear terms for {} variables",
                  linear_.size(), variables);
    linear_.resize(n, 0.0);
    if (!std::isfinite(offset_)) throw InputError("offset is {}", offset_);
    for (size_t i = 0; i < n; ++i) {
        if (!std::isfinite(linear_[i]))
            throw InputError("coefficient of variable {} is {}", i, linear_[i]);
    }

    size_t steps = 0;
    const auto look = [&] {
        if (++steps % kStepsBetweenLooks == 0 && stop.requested()) throw Interrupted();
    };
    // Both triangles in buckets of rows, then each row sorted and its equal columns added up in the
    // order in which they came.
    std::vector<size_t> starts(n + 1, 0);
    for (const auto& [i, j, value] : edges) {
        look();
        ADIABAT_CHECK(i >= 0 && i < variables && j >= 0 && j < variables, "pair {} {} of {}", i, j,
                      variables);
        if (!std::isfinite(value)) throw InputError("coupling of {} and {} is {}", i, j, value);
        if (i == j) {
            linear_[static_cast<size_t>(i)] += value;
            continue;
        }
        ++starts[static_cast<size_t>(i) + 1];
        ++starts[static_cast<size_t>(j) + 1];
    }
    std::partial_sum(starts.begin(), starts.end(), starts.begin());
    HugeVector<Entry> entries(starts.back());
    std::vector<size_t> next(starts.begin(), starts.end() - 1);
    for (const auto& [i, j, value] : edges) {
        look();
        if (i == j) continue;
        entries[next[static_cast<size_t>(i)]++] = {j, value};
        entries[next[static_cast<size_t>(j)]++] = {i, value};
    }
    starts_.assign(1, 0);
    starts_.reserve(n + 1);
    columns_.reserve(entries.size());
    values_.reserve(entries.size());
    for (size_t row = 0; row < n; ++row) {
        look();
        const auto first = entries.begin() + static_cast<std::ptrdiff_t>(starts[row]);
        const auto last = entries.begin() + static_cast<std::ptrdiff_t>(starts[row + 1]);
        std::stable_sort(first, last,
                         [](const Entry& a, const Entry& b) { return a.column < b.column; });
        for (auto entry = first; entry != last;) {
            const int column = entry->column;
            double sum = 0;
            for (; entry != last && entry->column == column; ++entry) {
                look();
                sum += entry->value;
            }
            if (sum == 0) continue;
            columns_.push_back(column);
            values_.push_back(sum);
        }
        starts_.push_back(columns_.size());
    }
}

double Sparse::coupling(int i, int j) const {
    const auto row = neighbors(i);
    const auto found = std::lower_bound(row.begin(), row.end(), j);
    if (found == row.end() || *found != j) return 0;
    return couplings(i)[static_cast<size_t>(found - row.begin())];
}

double Sparse::energy(std::span<const uint8_t> x) const {
    ADIABAT_CHECK(x.size() == linear_.size(), "{} values for {} variables", x.size(), variables());
    double energy = offset_;
    for (int i = 0; i < variables(); ++i) {
        if (!x[static_cast<size_t>(i)]) continue;
        double field = linear(i);
        const auto row = neighbors(i);
        const auto values = couplings(i);
        for (size_t k = 0; k < row.size() && row[k] < i; ++k) {
            if (x[static_cast<size_t>(row[k])]) field += values[k];
        }
        energy += field;
    }
    return energy;
}

std::vector<double> Sparse::fields(std::span<const uint8_t> x) const {
    ADIABAT_CHECK(x.size() == linear_.size(), "{} values for {} variables", x.size(), variables());
    std::vector<double> field = linear_;
    for (int i = 0; i < variables(); ++i) {
        if (x[static_cast<size_t>(i)]) add_row(i, 1.0, field);
    }
    return field;
}

void Sparse::add_row(int i, double sign, std::span<double> field) const {
    const auto row = neighbors(i);
    const auto values = couplings(i);
    for (size_t k = 0; k < row.size(); ++k) field[static_cast<size_t>(row[k])] += sign * values[k];
}

}  // namespace adiabat::qubo
