// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/elimination.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

std::vector<size_t> united(const std::vector<size_t>& a, const std::vector<size_t>& b) {
    std::vector<size_t> all;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(all));
    return all;
}

bool holds(const CostTable& table, size_t variable) {
    return std::binary_search(table.scope.begin(), table.scope.end(), variable);
}

// Walks all choices of `scope`, with the offset that each has in some tables.
class Odometer {
  public:
    Odometer(const std::vector<size_t>& scope, const std::vector<size_t>& sizes,
             const std::vector<const CostTable*>& tables)
        : digits_(scope.size()), offsets_(tables.size()) {
        for (size_t v : scope) {
            sizes_.push_back(sizes[v]);
            std::vector<size_t> strides;
            for (const CostTable* table : tables) strides.push_back(stride(*table, sizes, v));
            strides_.push_back(std::move(strides));
        }
    }
    static size_t stride(const CostTable& table, const std::vector<size_t>& sizes,
                         size_t variable) {
        size_t stride = 1;
        for (size_t v : table.scope) {
            if (v == variable) return stride;
            stride *= sizes[v];
        }
        return 0;
    }

    size_t offset(size_t table) const { return offsets_[table]; }
    void advance() {
        for (size_t d = 0; d < digits_.size(); ++d) {
            for (size_t t = 0; t < offsets_.size(); ++t) offsets_[t] += strides_[d][t];
            if (++digits_[d] < sizes_[d]) return;
            for (size_t t = 0; t < offsets_.size(); ++t) offsets_[t] -= strides_[d][t] * sizes_[d];
            digits_[d] = 0;
        }
    }

  private:
    std::vector<size_t> digits_, sizes_, offsets_;
    std::vector<std::vector<size_t>> strides_;  // [digit][table]
};

}  // namespace

Elimination::Elimination(std::vector<size_t> sizes, std::vector<const CostTable*> tables,
                         size_t most)
    : sizes_(std::move(sizes)), tables_(std::move(tables)), most_(most) {}

size_t Elimination::cells(const std::vector<size_t>& scope) const {
    size_t cells = 1;
    for (size_t v : scope) {
        if (cells > std::numeric_limits<size_t>::max() / sizes_[v]) return cells;
        cells *= sizes_[v];
    }
    return cells;
}

size_t Elimination::next(const std::vector<uint8_t>& gone) const {
    size_t best = sizes_.size(), least = 0;
    for (size_t v = 0; v < sizes_.size(); ++v) {
        if (gone[v]) continue;
        std::vector<size_t> scope;
        for (const CostTable* table : tables_) {
            if (holds(*table, v)) scope = united(scope, table->scope);
        }
        const size_t size = cells(scope);
        if (best == sizes_.size() || size < least) {
            best = v;
            least = size;
        }
    }
    return best;
}

void Elimination::run(const std::vector<size_t>& stay) {
    std::vector<uint8_t> gone(sizes_.size());
    for (size_t v : stay) gone[v] = 1;
    for (size_t v = next(gone); v < sizes_.size(); v = next(gone)) {
        gone[v] = 1;
        eliminate(v);
    }
    result_ = {stay, std::vector<double>(cells(stay))};
    Odometer at(stay, sizes_, tables_);
    for (double& value : result_.values) {
        for (size_t t = 0; t < tables_.size(); ++t) value += tables_[t]->values[at.offset(t)];
        at.advance();
    }
}

void Elimination::eliminate(size_t variable) {
    std::vector<const CostTable*> with, rest;
    for (const CostTable* table : tables_) (holds(*table, variable) ? with : rest).push_back(table);
    tables_ = std::move(rest);
    if (with.empty()) {
        made_.push_back({{variable}, std::vector<double>(sizes_[variable])});
        with.push_back(&made_.back());
    }
    std::stable_sort(with.begin(), with.end(), [](const CostTable* a, const CostTable* b) {
        return a->values.size() > b->values.size();
    });
    bool is_first = true;
    while (!with.empty()) {
        std::vector<const CostTable*> part, left;
        std::vector<size_t> scope;
        for (const CostTable* table : with) {
            const auto more = united(scope, table->scope);
            const bool fits = part.empty() || cells(more) <= most_;
            if (fits) scope = more;
            (fits ? part : left).push_back(table);
        }
        eliminate_part(variable, part, is_first);
        is_first = false;
        with = std::move(left);
    }
}

void Elimination::eliminate_part(size_t variable, const std::vector<const CostTable*>& part,
                                 bool decides) {
    std::vector<size_t> scope;
    for (const CostTable* table : part) scope = united(scope, table->scope);
    scope.erase(std::find(scope.begin(), scope.end(), variable));
    CostTable least{scope, std::vector<double>(cells(scope))};
    Done done{variable, scope, std::vector<size_t>(decides ? least.values.size() : 0)};
    std::vector<size_t> strides;
    for (const CostTable* table : part)
        strides.push_back(Odometer::stride(*table, sizes_, variable));
    Odometer at(scope, sizes_, part);
    std::vector<double> sums(sizes_[variable]);
    for (size_t cell = 0; cell < least.values.size(); ++cell, at.advance()) {
        std::fill(sums.begin(), sums.end(), 0.0);
        for (size_t t = 0; t < part.size(); ++t) {
            const double* values = part[t]->values.data() + at.offset(t);
            for (size_t v = 0; v < sums.size(); ++v) sums[v] += values[v * strides[t]];
        }
        const auto best = std::min_element(sums.begin(), sums.end());
        least.values[cell] = *best;
        if (decides) done.best[cell] = static_cast<size_t>(best - sums.begin());
    }
    made_.push_back(std::move(least));
    tables_.push_back(&made_.back());
    if (decides) done_.push_back(std::move(done));
}

std::vector<size_t> Elimination::choice(size_t cell) const {
    std::vector<size_t> values(sizes_.size());
    for (size_t v : result_.scope) {
        values[v] = cell % sizes_[v];
        cell /= sizes_[v];
    }
    for (auto done = done_.rbegin(); done != done_.rend(); ++done) {
        size_t at = 0, stride = 1;
        for (size_t v : done->scope) {
            at += values[v] * stride;
            stride *= sizes_[v];
        }
        values[done->variable] = done->best[at];
    }
    return values;
}

}  // namespace adiabat::plan
