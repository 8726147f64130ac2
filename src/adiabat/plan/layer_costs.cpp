// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/layer_costs.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

// Numbers of one layer's table.
constexpr size_t kMostNumbers = size_t{1} << 20;
// By how many bytes the file of a layer with fewer channels can be the larger one: what cuts a
// number of codes to length that is no multiple of 8.
constexpr int64_t kLengthBytes = 512;

bool asks_for_bits(Quantity quantity) {
    return quantity == Quantity::kFile || quantity == Quantity::kBytes ||
           quantity == Quantity::kBops || quantity == Quantity::kFloat;
}

// Whether two different axes have a family in common.
bool share_families(const std::vector<std::vector<LayerCosts::Total::Part>>& axes) {
    if (axes.size() < 2 || axes[0] == axes[1]) return false;
    return std::any_of(axes[0].begin(), axes[0].end(), [&](const auto& a) {
        return std::any_of(axes[1].begin(), axes[1].end(),
                           [&](const auto& b) { return a.by == b.by; });
    });
}

// By families, ascending; weights have no common divisor.
std::vector<LayerCosts::Total::Part> axis_of(const std::vector<net::AxisLabels::Share>& shares) {
    std::vector<LayerCosts::Total::Part> axis;
    int64_t divisor = 0;
    for (const auto& share : shares) {
        axis.push_back({static_cast<size_t>(share.family), share.count});
        divisor = std::gcd(divisor, share.count);
    }
    for (auto& part : axis) part.weight /= std::max<int64_t>(divisor, 1);
    std::sort(axis.begin(), axis.end(), [](const auto& a, const auto& b) { return a.by < b.by; });
    return axis;
}

}  // namespace

LayerCosts::LayerCosts(const Network& network, const std::vector<Budget>& budgets,
                       const CostFunctions& costs)
    : network_(network), budgets_(budgets), costs_(costs), tables_(network.tensors()) {
    const bool any = std::any_of(budgets.begin(), budgets.end(),
                                 [](const Budget& b) { return asks_for_bits(b.quantity); });
    for (size_t k = 0; k < tables_.size(); ++k) {
        Table& table = tables_[k];
        table.widths = any ? network.widths(k).size() : 1;
        if (k >= network.layers.size()) continue;  // an activation
        for (const auto* shares : {&network.filter_shares(k), &network.input_shares(k)}) {
            if (!shares->empty()) table.axes.push_back(axis_of(*shares));
            for (const auto& share : *shares) {
                table.families.push_back(static_cast<size_t>(share.family));
            }
        }
        std::sort(table.families.begin(), table.families.end());
        table.families.erase(std::unique(table.families.begin(), table.families.end()),
                             table.families.end());
    }
    find_activations();
    choose_levels();
    for (size_t k = 0; k < tables_.size(); ++k) fill(k);
}

// Every allowed count, then half as many levels of the largest family of a table that is too large.
void LayerCosts::choose_levels() {
    for (size_t f = 0; f < network_.families(); ++f) {
        levels_.emplace_back();
        for (int64_t c = 0; c < network_.groups(f); ++c) {
            const int64_t kept = network_.groups(f) - c;
            if (kept == allowed_kept(network_, f, kept)) levels_[f].push_back({c, c});
        }
    }
    do {
        find_totals();
    } while (halve_largest());
}

void LayerCosts::find_totals() {
    totals_.clear();
    for (Table& table : tables_) {
        table.scope.clear();
        for (const Axis& axis : table.axes) table.scope.push_back(total(axis));
        std::sort(table.scope.begin(), table.scope.end());
        table.scope.erase(std::unique(table.scope.begin(), table.scope.end()), table.scope.end());
    }
}

// The counter of an axis: its first family plus the next, that plus the next, and so on. What
// axes begin with alike they share.
size_t LayerCosts::total(const Axis& axis) {
    size_t counter = axis.front().by;
    int64_t weight = axis.front().weight;
    for (size_t p = 1; p < axis.size(); ++p) {
        std::array<Total::Part, 2> parts = {Total::Part{counter, weight}, axis[p]};
        if (parts[1].by < parts[0].by) std::swap(parts[0], parts[1]);
        weight = 1;
        const auto known = std::find_if(totals_.begin(), totals_.end(),
                                        [&](const Total& t) { return t.parts == parts; });
        counter = levels_.size() + static_cast<size_t>(known - totals_.begin());
        if (known != totals_.end()) continue;
        std::map<int64_t, std::array<size_t, 2>> all;
        for (size_t a = 0; a < size(parts[0].by); ++a) {
            for (size_t b = 0; b < size(parts[1].by); ++b) {
                all.try_emplace(parts[0].weight * value(parts[0].by, a) +
                                    parts[1].weight * value(parts[1].by, b),
                                std::array<size_t, 2>{a, b});
            }
        }
        Total total{parts};
        for (const auto& [value, from] : all) {
            total.values.push_back(value);
            total.from.push_back(from);
        }
        totals_.push_back(std::move(total));
    }
    return counter;
}

size_t LayerCosts::size(size_t counter) const {
    if (counter < levels_.size()) return levels_[counter].size();
    return totals_[counter - levels_.size()].values.size();
}

int64_t LayerCosts::value(size_t counter, size_t k) const {
    if (counter < levels_.size()) return levels_[counter][k].last;
    return totals_[counter - levels_.size()].values[k];
}

size_t LayerCosts::index_of(size_t counter, int64_t value) const {
    size_t first = 0, last = size(counter);
    while (first < last) {
        const size_t middle = (first + last) / 2;
        if (this->value(counter, middle) < value) {
            first = middle + 1;
        } else {
            last = middle;
        }
    }
    ADIABAT_CHECK(first < size(counter) && this->value(counter, first) == value,
                  "counter {} has no value {}", counter, value);
    return first;
}

bool LayerCosts::halve_largest() {
    for (const Table& table : tables_) {
        size_t numbers = table.widths * budgets(), plans = 1;
        for (size_t counter : table.scope) numbers *= size(counter);
        for (size_t f : table.families) plans *= levels_[f].size();
        if (share_families(table.axes)) numbers = std::max(numbers, plans);
        size_t largest = table.families.empty() ? 0 : table.families.front();
        for (size_t f : table.families) {
            if (levels_[f].size() > levels_[largest].size()) largest = f;
        }
        if (numbers <= kMostNumbers || levels_[largest].size() < 2) continue;
        std::vector<Level> half;
        for (size_t i = 0; i < levels_[largest].size(); i += 2) {
            const size_t end = std::min(i + 1, levels_[largest].size() - 1);
            half.push_back({levels_[largest][i].first, levels_[largest][end].last});
        }
        levels_[largest] = std::move(half);
        return true;
    }
    return false;
}

// The cut counts behind a value of a counter.
void LayerCosts::set_cut(size_t counter, size_t k, std::span<int64_t> cut) const {
    if (counter < levels_.size()) {
        cut[counter] = value(counter, k);
        return;
    }
    const Total& total = totals_[counter - levels_.size()];
    for (size_t p = 0; p < 2; ++p) set_cut(total.parts[p].by, total.from[k][p], cut);
}

int64_t LayerCosts::total_of(size_t counter, std::span<const int64_t> cut) const {
    if (counter < levels_.size()) return cut[counter];
    int64_t sum = 0;
    for (const auto& part : totals_[counter - levels_.size()].parts) {
        sum += part.weight * total_of(part.by, cut);
    }
    return sum;
}

void LayerCosts::fill(size_t layer) {
    Table& table = tables_[layer];
    for (size_t counter : table.scope) {
        table.strides.push_back(table.cells);
        table.cells *= size(counter);
    }
    table.values.resize(table.cells * table.widths * budgets());
    std::vector<int64_t> cut(network_.families());
    if (!share_families(table.axes)) {
        for (size_t cell = 0; cell < table.cells; ++cell) {
            for (size_t p = 0; p < table.scope.size(); ++p) {
                const size_t counter = table.scope[p];
                set_cut(counter, cell / table.strides[p] % size(counter), cut);
            }
            fill_cell(layer, cell, cut);
        }
        return;
    }
    // Not every pair of totals is there.
    const std::function<void(size_t)> visit = [&](size_t place) {
        if (place < table.families.size()) {
            const size_t f = table.families[place];
            for (size_t k = 0; k < size(f); ++k) {
                cut[f] = value(f, k);
                visit(place + 1);
            }
            return;
        }
        size_t cell = 0;
        for (size_t p = 0; p < table.scope.size(); ++p) {
            const size_t counter = table.scope[p];
            cell += index_of(counter, total_of(counter, cut)) * table.strides[p];
        }
        fill_cell(layer, cell, cut);
    };
    visit(0);
}

void LayerCosts::fill_cell(size_t layer, size_t cell, std::span<const int64_t> cut) {
    Table& table = tables_[layer];
    const bool is_range = std::any_of(table.families.begin(), table.families.end(), [&](size_t f) {
        return std::any_of(levels_[f].begin(), levels_[f].end(),
                           [](const Level& level) { return level.first != level.last; });
    });
    double* to = table.values.data() + cell * table.widths * budgets();
    for (size_t w = 0; w < table.widths; ++w) {
        for (size_t k = 0; k < budgets(); ++k) {
            *to++ = cost(k, layer, cut, network_.widths(layer)[w], is_range);
        }
    }
}

double LayerCosts::cost(size_t k, size_t layer, std::span<const int64_t> cut, int bits,
                        bool is_range) const {
    const Budget& budget = budgets_[k];
    if (budget.quantity == Quantity::kActivations) return 0;
    const double limit = budget.unit();
    if (budget.quantity != Quantity::kFile && layer >= network_.layers.size()) {
        // A layer between two of them is charged to the first.
        int64_t more = 0;
        for (size_t l = 0; l < activations_of_.size() && bits == net::kFloatBits; ++l) {
            const auto& list = activations_of_[l];
            if (!list.empty() && list[0] == layer) more += least_of_float(budget.quantity, l);
        }
        return static_cast<double>(more) / limit;
    }
    if (budget.quantity != Quantity::kFile) {
        return static_cast<double>(
                   value_of(budget.quantity, network_.costs.cost_of_layer(layer, cut, bits))) /
               limit;
    }
    const int64_t own = costs_.layer_file(layer, cut, bits) - (is_range ? kLengthBytes : 0);
    return static_cast<double>(std::max<int64_t>(own, 0)) / limit;
}

void LayerCosts::find_activations() {
    activations_of_.resize(network_.layers.size());
    for (size_t a = 0; a < network_.activations.size(); ++a) {
        for (size_t k : network_.activations[a].readers) {
            activations_of_[k].insert(activations_of_[k].begin(), network_.layers.size() + a);
        }
        const int maker = network_.activations[a].maker;
        if (maker >= 0) {
            activations_of_[static_cast<size_t>(maker)].push_back(network_.layers.size() + a);
        }
    }
    const Domain plans = all_plans(network_);
    for (const auto& counts : plans.cut) most_cut_.push_back(counts.most);
    least_bits_ = plans.bits(network_);
}

// What a layer costs more in the smallest plan where its activations are float.
int64_t LayerCosts::least_of_float(Quantity quantity, size_t layer) const {
    const auto of = [&](int activation_bits) {
        return value_of(quantity, network_.costs.cost_of_layer(layer, most_cut_, least_bits_[layer],
                                                               activation_bits));
    };
    return of(net::kFloatBits) - of(net::kActivationBits);
}

std::vector<double> LayerCosts::rest(const Domain& domain) const {
    std::vector<int64_t> cut;
    for (const auto& counts : domain.cut) cut.push_back(counts.most);
    const std::vector<int> bits = domain.bits(network_);
    std::vector<int> known;
    for (size_t k = 0; k < tables_.size(); ++k) {
        // What decoders share may depend on how many codes there are.
        const auto& families = tables_[k].families;
        const bool is_one = std::all_of(families.begin(), families.end(),
                                        [&](size_t f) { return domain.cut[f].is_one(); });
        known.push_back(bits[k] == kGone || (is_one && domain.widths_left(k) == 1)
                            ? bits[k]
                            : CostFunctions::FileParts::kUndecided);
    }
    net::Cost others = costs_.network(cut, bits);
    std::vector<double> rest(budgets());
    for (size_t k = 0; k < budgets(); ++k) {
        const Quantity quantity = budgets_[k].quantity;
        int64_t value = 0;
        if (quantity == Quantity::kFile) {
            value = costs_.other_file(cut, known);
        } else if (quantity != Quantity::kActivations) {
            value = value_of(quantity, others);
            for (size_t l = 0; l < network_.layers.size(); ++l) {
                value -= value_of(quantity, network_.costs.cost_of_layer(l, cut, bits[l]));
                const auto& list = activations_of_[l];
                const bool is_float = std::any_of(
                    list.begin(), list.end(), [&](size_t a) { return bits[a] == net::kFloatBits; });
                // What the one that is charged for the layer says in its own table, if it may.
                if (is_float && domain.allowed[list[0]].back() != 0) {
                    value -= least_of_float(quantity, l);
                }
            }
        }
        rest[k] = static_cast<double>(value) / budgets_[k].unit();
    }
    return rest;
}

bool LayerCosts::breaks_activations(const Domain& domain) const {
    for (const Budget& budget : budgets_) {
        if (budget.quantity != Quantity::kActivations) continue;
        std::vector<int64_t> cut;
        for (const auto& counts : domain.cut) cut.push_back(counts.most);
        if (costs_.network(cut, domain.bits(network_)).activations > budget.limit) return true;
    }
    return false;
}

}  // namespace adiabat::plan
