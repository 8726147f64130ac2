// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/layer_costs.h"

#include <algorithm>

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
            for (const auto& share : *shares)
                table.scope.push_back(static_cast<size_t>(share.family));
        }
        std::sort(table.scope.begin(), table.scope.end());
        table.scope.erase(std::unique(table.scope.begin(), table.scope.end()), table.scope.end());
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
    while (halve_largest()) {
    }
}

bool LayerCosts::halve_largest() {
    for (const Table& table : tables_) {
        size_t numbers = table.widths * budgets();
        size_t largest = table.scope.empty() ? 0 : table.scope.front();
        for (size_t f : table.scope) {
            numbers *= levels_[f].size();
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

void LayerCosts::fill(size_t layer) {
    Table& table = tables_[layer];
    for (size_t f : table.scope) {
        table.strides.push_back(table.cells);
        table.cells *= levels_[f].size();
    }
    std::vector<int64_t> cut(network_.families());
    for (size_t cell = 0; cell < table.cells; ++cell) {
        bool is_range = false;
        for (size_t i = 0; i < table.scope.size(); ++i) {
            const auto& levels = levels_[table.scope[i]];
            const Level& level = levels[cell / table.strides[i] % levels.size()];
            cut[table.scope[i]] = level.last;
            is_range = is_range || level.first != level.last;
        }
        for (size_t w = 0; w < table.widths; ++w) {
            for (size_t k = 0; k < budgets(); ++k) {
                table.values.push_back(cost(k, layer, cut, network_.widths(layer)[w], is_range));
            }
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
        const auto& scope = tables_[k].scope;
        const bool is_one = std::all_of(scope.begin(), scope.end(),
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
