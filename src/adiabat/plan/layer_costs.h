// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a plan costs as a sum over layers, each a function of the cut counts of the families on its
// two axes and of its width: the form in which a minimum is found by elimination (cheapest.h).
//
// Costs are relative, 1 is the limit. What belongs to no layer (constants of other nodes, products
// without weights; in a file also what decoders of one width share) is counted at the least that
// the plans in question have: exact once their counts and widths are. So is what float activations
// cost layers, beyond what they cost those of the smallest plan, which stands in tables of their
// own. Peak activations are no sum:
// they count as nothing. Families of very many groups have levels, ranges of counts that cost as
// much as the largest of them: from below too. Of networks with few thousand groups every count is
// a level, and layers are exact.
//
// Memory: one number a layer, width, budget and pair of levels.

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
    // Families on a layer's axes, ascending.
    const std::vector<size_t>& scope(size_t layer) const { return tables_[layer].scope; }
    // Whether any budget asks for the layer's width.
    bool bits_count(size_t layer) const { return tables_[layer].widths > 1; }
    // One entry a budget; `at` has a level for each family of the scope.
    std::span<const double> of(size_t layer, size_t cell, size_t width) const {
        const Table& table = tables_[layer];
        const size_t w = table.widths > 1 ? width : 0;
        return {table.values.data() + (cell * table.widths + w) * budgets(), budgets()};
    }
    // Of a level of a family of the scope: how much it adds to `cell`.
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
    struct Table {
        std::vector<size_t> scope, strides;
        size_t cells = 1, widths = 1;
        std::vector<double> values;
    };
    void choose_levels();
    bool halve_largest();
    void fill(size_t layer);
    double cost(size_t k, size_t layer, std::span<const int64_t> cut, int bits,
                bool is_range) const;
    int64_t least_of_float(Quantity quantity, size_t layer) const;
    void find_activations();

    const Network& network_;
    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    std::vector<std::vector<Level>> levels_;
    std::vector<Table> tables_;
    // Of each layer the activations that are decided: what it reads, then what it makes.
    std::vector<std::vector<size_t>> activations_of_;
    // Of the smallest plan.
    std::vector<int64_t> most_cut_;
    std::vector<int> least_bits_;
};

}  // namespace adiabat::plan
