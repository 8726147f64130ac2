// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a plan costs as a sum over layers, each a function of how much is cut of its two axes and of
// its width: the form in which a minimum is found by elimination (cheapest.h).
//
// Counters say how much is cut: the cut count of a family, or, where several families share an
// axis (a stream that grows by padding, a concatenation), a total, which is one counter plus
// another, so that a layer's table stays small however many families its axes have.
//
// Costs are relative, 1 is the limit. What belongs to no layer (constants of other nodes, products
// without weights; in a file also what decoders of one width share) is counted at the least that
// the plans in question have: nearly exact once their counts and widths are. So is what float
// activations cost layers, beyond what they cost those of the smallest plan, which stands in tables
// of their own. Peak activations are no sum: they count as nothing. Families of very many groups
// have levels, ranges of counts that cost as much as the largest of them: from below too. Of
// networks with few thousand groups every count is a level, and layers are exact.
//
// Memory: one number a layer, width, budget and pair of counters' values.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/plan/budget.h"
#include "adiabat/plan/domain.h"

namespace adiabat::plan {

class LayerCosts {
  public:
    // All must outlive it.
    LayerCosts(const Network& network, const std::vector<Budget>& budgets,
               const CostFunctions& costs);

    // Cut counts first .. last.
    struct Level {
        int64_t first = 0, last = 0;
    };
    const std::vector<Level>& levels(size_t family) const { return levels_[family]; }
    // Indices of an axis that go: `weight` for one of the counter `by`. Counters are numbered,
    // families first, then totals, after those that they add up.
    struct Total {
        struct Part {
            size_t by = 0;
            int64_t weight = 1;

            bool operator==(const Part&) const = default;
        };
        std::array<Part, 2> parts = {};    // ascending
        std::vector<int64_t> values = {};  // all there are, ascending
        // Values of the parts that give it, one pair a value.
        std::vector<std::array<size_t, 2>> from = {};
    };
    const std::vector<Total>& totals() const { return totals_; }
    size_t counters() const { return levels_.size() + totals_.size(); }
    // How many values a counter has, and each: groups that are cut (of a level, the most), or a
    // total.
    size_t size(size_t counter) const;
    int64_t value(size_t counter, size_t k) const;
    size_t index_of(size_t counter, int64_t value) const;

    // The counters of a layer's axes, ascending.
    const std::vector<size_t>& scope(size_t layer) const { return tables_[layer].scope; }
    // Whether any budget asks for the layer's width.
    bool bits_count(size_t layer) const { return tables_[layer].widths > 1; }
    // One entry a budget; a cell has a value for each counter of the scope, the first fastest.
    std::span<const double> of(size_t layer, size_t cell, size_t width) const {
        const Table& table = tables_[layer];
        const size_t w = table.widths > 1 ? width : 0;
        return {table.values.data() + (cell * table.widths + w) * budgets(), budgets()};
    }
    // Of the next value of a counter of the scope: how much it adds to `cell`.
    size_t stride(size_t layer, size_t place) const { return tables_[layer].strides[place]; }
    // Cells in all.
    size_t cells(size_t layer) const { return tables_[layer].cells; }

    size_t budgets() const { return budgets_.size(); }
    // What belongs to no layer costs no less in any plan of the domain, whichever branches go; one
    // entry a budget.
    std::vector<double> rest(const Domain& domain) const;
    // Whether some budget that is no sum is broken by every plan of the domain.
    bool breaks_activations(const Domain& domain) const;

  private:
    using Axis = std::vector<Total::Part>;  // by families
    struct Table {
        std::vector<Axis> axes;
        std::vector<size_t> families;  // on them, ascending
        std::vector<size_t> scope, strides;
        size_t cells = 1, widths = 1;
        std::vector<double> values;
    };
    void choose_levels();
    bool halve_largest();
    void find_totals();
    size_t total(const Axis& axis);
    void fill(size_t layer);
    void fill_cell(size_t layer, size_t cell, std::span<const int64_t> cut);
    void set_cut(size_t counter, size_t k, std::span<int64_t> cut) const;
    int64_t total_of(size_t counter, std::span<const int64_t> cut) const;
    double cost(size_t k, size_t layer, std::span<const int64_t> cut, int bits,
                bool is_range) const;
    int64_t least_of_float(Quantity quantity, size_t layer) const;
    void find_activations();

    const Network& network_;
    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    std::vector<std::vector<Level>> levels_;
    std::vector<Total> totals_;
    std::vector<Table> tables_;
    // Of each layer the activations that are decided: what it reads, then what it makes.
    std::vector<std::vector<size_t>> activations_of_;
    // Of the smallest plan.
    std::vector<int64_t> most_cut_;
    std::vector<int> least_bits_;
};

}  // namespace adiabat::plan
