// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/elimination.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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
    // `more` has strides of further offsets, one a variable of the scope each.
    Odometer(const std::vector<size_t>& scope, const std::vector<size_t>& sizes,
             const std::vector<const CostTable*>& tables,
             const std::vector<std::vector<size_t>>& more = {})
        : digits_(scope.size()), offsets_(tables.size() + more.size()) {
        for (size_t d = 0; d < scope.size(); ++d) {
            sizes_.push_back(sizes[scope[d]]);
            std::vector<size_t> strides;
            for (const CostTable* table : tables) {
                strides.push_back(stride(*table, sizes, scope[d]));
            }
            for (const auto& list : more) strides.push_back(list[d]);
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
                         const std::vector<Definition>& definitions, size_t most)
    : sizes_(std::move(sizes)),
      tables_(std::move(tables)),
      definition_of_(sizes_.size()),
      gone_(sizes_.size()),
      most_(most) {
    for (const Definition& d : definitions) {
        ADIABAT_CHECK(d.by[0] < d.by[1] && d.by[1] < d.variable, "a definition out of order");
        definition_of_[d.variable] = &d;
    }
}

size_t Elimination::cells(const std::vector<size_t>& scope) const {
    size_t cells = 1;
    for (size_t v : scope) {
        if (cells > std::numeric_limits<size_t>::max() / sizes_[v]) return cells;
        cells *= sizes_[v];
    }
    return cells;
}

// Whether another is defined by it still.
bool Elimination::defines(size_t variable) const {
    return std::any_of(definition_of_.begin(), definition_of_.end(), [&](const Definition* d) {
        return d && (d->by[0] == variable || d->by[1] == variable);
    });
}

// Of the largest table that eliminating or replacing it makes.
size_t Elimination::size_after(size_t variable) const {
    const Definition* const definition = definition_of_[variable];
    std::vector<size_t> scope;
    size_t largest = 0;
    for (const CostTable* table : tables_) {
        if (!holds(*table, variable)) continue;
        if (!definition) {
            scope = united(scope, table->scope);
            continue;
        }
        const std::vector<size_t> by(definition->by.begin(), definition->by.end());
        largest = std::max(largest, cells(united(table->scope, by)) / sizes_[variable]);
    }
    return definition ? largest : cells(scope);
}

size_t Elimination::next(const std::vector<uint8_t>& stays) const {
    size_t best = sizes_.size(), least = 0;
    for (size_t v = 0; v < sizes_.size(); ++v) {
        if (gone_[v] || stays[v] || defines(v)) continue;
        const size_t size = size_after(v);
        if (best == sizes_.size() || size < least) {
            best = v;
            least = size;
        }
    }
    return best;
}

void Elimination::run(const std::vector<size_t>& stay) {
    // Also what those that stay are defined by: they are projected, in order.
    std::vector<uint8_t> stays(sizes_.size());
    for (size_t v : stay) stays[v] = 1;
    for (size_t v = sizes_.size(); v-- > 0;) {
        if (!stays[v] || !definition_of_[v]) continue;
        for (size_t by : definition_of_[v]->by) stays[by] = 1;
    }
    for (size_t v = next(stays); v < sizes_.size(); v = next(stays)) {
        gone_[v] = 1;
        if (definition_of_[v]) {
            replace(*definition_of_[v]);
        } else {
            eliminate(v);
        }
    }
    for (size_t v = 0; v < sizes_.size(); ++v) {
        if (!gone_[v] && definition_of_[v]) project(*definition_of_[v], stay);
    }
    result_ = {stay, std::vector<double>(cells(stay))};
    Odometer at(stay, sizes_, tables_);
    for (double& value : result_.values) {
        for (size_t t = 0; t < tables_.size(); ++t) value += tables_[t]->values[at.offset(t)];
        at.advance();
    }
}

std::vector<const CostTable*> Elimination::take_out(const std::vector<size_t>& variables) {
    const auto first =
        std::stable_partition(tables_.begin(), tables_.end(), [&](const CostTable* table) {
            return std::none_of(variables.begin(), variables.end(),
                                [&](size_t v) { return holds(*table, v); });
        });
    std::vector<const CostTable*> taken(first, tables_.end());
    tables_.erase(first, tables_.end());
    return taken;
}

const CostTable& Elimination::add(CostTable table) {
    made_.push_back(std::move(table));
    tables_.push_back(&made_.back());
    return made_.back();
}

// The least over all variables but that one: a lower bound where a table is too large.
CostTable Elimination::shrunk(const CostTable& table, size_t variable) const {
    CostTable least{{variable}, std::vector<double>(sizes_[variable], kInfinity)};
    Odometer at(table.scope, sizes_, {&least});
    for (double value : table.values) {
        double& to = least.values[at.offset(0)];
        to = std::min(to, value);
        at.advance();
    }
    return least;
}

// Functions of a defined variable become functions of those that define it.
void Elimination::replace(const Definition& definition) {
    const std::vector<size_t> by(definition.by.begin(), definition.by.end());
    const CostTable pair{by, {}};
    for (const CostTable* table : take_out({definition.variable})) {
        CostTable small;
        if (cells(united(table->scope, by)) / sizes_[definition.variable] > most_) {
            small = shrunk(*table, definition.variable);
            table = &small;
        }
        const size_t stride = Odometer::stride(*table, sizes_, definition.variable);
        std::vector<size_t> scope = table->scope;
        scope.erase(std::find(scope.begin(), scope.end(), definition.variable));
        CostTable rest{scope, {}};
        scope = united(scope, by);
        CostTable made{scope, std::vector<double>(cells(scope))};
        // Offsets without the variable, whose own comes from the definition.
        std::vector<size_t> strides;
        for (size_t v : scope) {
            strides.push_back(holds(rest, v) ? Odometer::stride(*table, sizes_, v) : 0);
        }
        Odometer at(scope, sizes_, {&pair}, {strides});
        for (double& value : made.values) {
            value = table->values[at.offset(1) + definition.value[at.offset(0)] * stride];
            at.advance();
        }
        add(std::move(made));
    }
    done_.push_back({definition.variable, by, definition.value});
    definition_of_[definition.variable] = nullptr;
}

// Functions of those that define a variable that stays become functions of that, as far as they do
// not stay themselves.
void Elimination::project(const Definition& definition, const std::vector<size_t>& stay) {
    const size_t variable = definition.variable;
    const std::vector<size_t> by(definition.by.begin(), definition.by.end());
    definition_of_[variable] = nullptr;
    std::vector<size_t> go;
    for (size_t v : by) {
        if (!std::binary_search(stay.begin(), stay.end(), v) && !defines(v)) go.push_back(v);
    }
    for (size_t v : go) gone_[v] = 1;
    const CostTable pair{by, {}};
    std::vector<const CostTable*> part = take_out(go);
    std::vector<size_t> from = by;
    for (const CostTable* table : part) from = united(from, table->scope);
    std::vector<size_t> scope;
    std::set_difference(from.begin(), from.end(), go.begin(), go.end(), std::back_inserter(scope));
    scope = united(scope, {variable});
    CostTable least{scope, std::vector<double>(cells(scope), kInfinity)};
    const size_t stride = Odometer::stride(least, sizes_, variable);
    // Where the variable is in the functions too, it is what the definition says.
    const bool is_there = holds(CostTable{from, {}}, variable);
    part.push_back(&pair);
    part.push_back(&least);
    Odometer at(from, sizes_, part);
    const size_t tables = part.size() - 2;
    const size_t size = cells(from);
    const size_t own = is_there ? Odometer::stride(CostTable{from, {}}, sizes_, variable) : 0;
    for (size_t cell = 0; cell < size; ++cell, at.advance()) {
        const size_t value = definition.value[at.offset(tables)];
        if (is_there && cell / own % sizes_[variable] != value) continue;
        double sum = 0;
        for (size_t t = 0; t < tables; ++t) sum += part[t]->values[at.offset(t)];
        double& to = least.values[at.offset(tables + 1) + (is_there ? 0 : value * stride)];
        to = std::min(to, sum);
    }
    add(std::move(least));
}

void Elimination::eliminate(size_t variable) {
    std::vector<const CostTable*> with = take_out({variable});
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
    add(std::move(least));
    if (decides) done_.push_back(std::move(done));
}

std::vector<size_t> Elimination::choice() const {
    std::vector<size_t> values(sizes_.size());
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
