// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/cheapest.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A branch is a variable of two values behind the counters: it is there, it is gone.
constexpr size_t kStates = 2;

}  // namespace

// A family's groups in the order in which they go, and the levels that the domain has.
struct CheapestPlans::Family {
    std::vector<size_t> order;   // free groups, cheapest first
    std::vector<double> prefix;  // the cheapest sum, by the number of free groups that go
    int64_t settled = 0;         // groups that go anyway
    struct Option {
        size_t level = 0;
        int64_t count = 0;  // the cheapest of the level
        int64_t first = 0, last = 0;
    };
    std::vector<Option> options;

    double at(int64_t count) const { return prefix[static_cast<size_t>(count - settled)]; }
};

// A layer's least sum over widths for every choice of its counters' options.
struct CheapestPlans::Layer {
    CostTable table;
    std::vector<uint8_t> width;   // the best one
    std::vector<double> weights;  // of each width; infinite where not allowed
};

struct CheapestPlans::Sum {
    std::vector<Family> families;
    // Of each counter the values that the domain leaves, as the costs number them.
    std::vector<std::vector<size_t>> options;
    std::vector<Definition> totals;
    std::vector<Layer> layers;
    std::vector<size_t> sizes;
    std::vector<CostTable> prefixes;  // one a family, then one a branch
    double constant = 0;

    std::vector<const CostTable*> tables() const {
        std::vector<const CostTable*> all;
        for (const CostTable& table : prefixes) all.push_back(&table);
        for (const Layer& layer : layers) all.push_back(&layer.table);
        return all;
    }
};

CheapestPlans::Family CheapestPlans::family(const Domain& domain, const Prices& prices,
                                            size_t f) const {
    Family family;
    const auto& settled = domain.settled[f];
    const auto weight = [&](size_t i) {
        return prices.weights[static_cast<size_t>(encoding_.cut_variable(f, i))];
    };
    double sum = 0;
    for (size_t i = 0; i < settled.size(); ++i) {
        if (settled[i] == Settled::kFree) family.order.push_back(i);
        if (settled[i] != Settled::kCut) continue;
        sum += weight(i);
        ++family.settled;
    }
    std::stable_sort(family.order.begin(), family.order.end(),
                     [&](size_t a, size_t b) { return weight(a) < weight(b); });
    family.prefix.push_back(sum);
    for (size_t i : family.order) family.prefix.push_back(sum += weight(i));
    const auto& levels = costs_.levels(f);
    const auto& counts = domain.cut[f];
    for (size_t level = 0; level < levels.size(); ++level) {
        const int64_t first = std::max(levels[level].first, counts.least);
        const int64_t last = std::min(levels[level].last, counts.most);
        if (first > last) continue;
        int64_t best = -1;
        for (int64_t c = first; c <= last; ++c) {
            const int64_t kept = network_.groups(f) - c;
            if (kept != allowed_kept(network_, f, kept)) continue;
            if (best < 0 || family.at(c) < family.at(best)) best = c;
        }
        if (best >= 0) family.options.push_back({level, best, first, last});
    }
    ADIABAT_CHECK(!family.options.empty(), "family {} has no count left", f);
    return family;
}

CheapestPlans::Layer CheapestPlans::layer(const Domain& domain, const Prices& prices,
                                          const Options& options, size_t l) const {
    Layer layer;
    const auto& widths = network_.widths(l);
    const Encoding::LayerBits& bits = encoding_.layers[l];
    for (size_t w = 0; w < widths.size(); ++w) {
        double weight = domain.allowed[l][w] ? 0 : kInfinity;
        const uint32_t pattern = encoding_.word(l, widths[w]).pattern;
        for (int b = 0; b < bits.count; ++b) {
            const int variable = bits.first + b;
            if (pattern >> b & 1) weight += prices.weights[static_cast<size_t>(variable)];
        }
        layer.weights.push_back(weight);
    }
    layer.table.scope = costs_.scope(l);
    size_t cells = 1;
    for (size_t counter : layer.table.scope) cells *= options[counter].size();
    layer.table.values.resize(cells);
    layer.width.resize(cells);
    const bool asks = costs_.bits_count(l);
    const auto cheapest = static_cast<size_t>(
        std::min_element(layer.weights.begin(), layer.weights.end()) - layer.weights.begin());
    std::vector<size_t> cells_at(1, 0);
    for (size_t p = 0; p < layer.table.scope.size(); ++p) {
        std::vector<size_t> next;
        for (size_t option : options[layer.table.scope[p]]) {
            for (size_t at : cells_at) next.push_back(at + option * costs_.stride(l, p));
        }
        cells_at = std::move(next);
    }
    for (size_t cell = 0; cell < cells; ++cell) {
        double least = kInfinity;
        for (size_t w = asks ? 0 : cheapest; w < widths.size(); ++w) {
            if (layer.weights[w] == kInfinity) continue;
            double value = layer.weights[w];
            const auto costs = costs_.of(l, cells_at[cell], w);
            for (size_t k = 0; k < costs.size(); ++k) value += prices.multipliers[k] * costs[k];
            if (value < least) {
                least = value;
                layer.width[cell] = static_cast<uint8_t>(w);
            }
            if (!asks) break;
        }
        layer.table.values[cell] = least;
    }
    return layer;
}

double CheapestPlans::rest(const Domain& domain, const Prices& prices) const {
    const auto rest = costs_.rest(domain);
    return std::inner_product(rest.begin(), rest.end(), prices.multipliers.begin(), 0.0);
}

CheapestPlans::Sum CheapestPlans::sum(const Domain& domain, const Prices& prices) const {
    Sum sum;
    for (size_t f = 0; f < network_.families(); ++f) {
        sum.families.push_back(family(domain, prices, f));
        CostTable table{{f}, {}};
        for (const auto& option : sum.families[f].options) {
            table.values.push_back(sum.families[f].at(option.count));
        }
        sum.options.emplace_back();
        for (const auto& option : sum.families[f].options) sum.options[f].push_back(option.level);
        sum.prefixes.push_back(std::move(table));
    }
    for (size_t t = 0; t < costs_.totals().size(); ++t) add_total(t, sum);
    for (const auto& options : sum.options) sum.sizes.push_back(options.size());
    for (size_t l = 0; l < network_.tensors(); ++l) {
        sum.layers.push_back(layer(domain, prices, sum.options, l));
    }
    for (size_t b = 0; b < network_.branches.size(); ++b) add_branch(domain, prices, b, sum);
    sum.constant = rest(domain, prices);
    return sum;
}

// What values of its parts are left leave it.
void CheapestPlans::add_total(size_t t, Sum& sum) const {
    const size_t counter = network_.families() + t;
    const auto& parts = costs_.totals()[t].parts;
    Definition definition{counter, {parts[0].by, parts[1].by}, {}};
    for (size_t b : sum.options[parts[1].by]) {
        for (size_t a : sum.options[parts[0].by]) {
            definition.value.push_back(
                costs_.index_of(counter, parts[0].weight * costs_.value(parts[0].by, a) +
                                             parts[1].weight * costs_.value(parts[1].by, b)));
        }
    }
    std::vector<size_t> options = definition.value;
    std::sort(options.begin(), options.end());
    options.erase(std::unique(options.begin(), options.end()), options.end());
    for (size_t& value : definition.value) {
        value = static_cast<size_t>(std::lower_bound(options.begin(), options.end(), value) -
                                    options.begin());
    }
    sum.options.push_back(std::move(options));
    sum.totals.push_back(std::move(definition));
}

// Where it goes, its own families and layers cost what the assignment of a plan without it says,
// and take nothing of the budgets.
void CheapestPlans::add_branch(const Domain& domain, const Prices& prices, size_t b,
                               Sum& sum) const {
    const Branch& branch = network_.branches[b];
    const size_t variable = costs_.counters() + b;
    const auto extend = [&](CostTable& table, const auto& gone) {
        const size_t cells = table.values.size();
        table.scope.push_back(variable);
        for (size_t cell = 0; cell < cells; ++cell) table.values.push_back(gone(cell));
    };
    for (size_t f : branch.families) {
        const Family& family = sum.families[f];
        extend(sum.prefixes[f], [&](size_t option) {
            return family.options[option].first == 0 ? family.at(0) : kInfinity;
        });
    }
    for (size_t l : branch.layers) {
        Layer& layer = sum.layers[l];
        extend(layer.table, [&](size_t) { return layer.weights.back(); });
        layer.width.resize(layer.table.values.size(),
                           static_cast<uint8_t>(layer.weights.size() - 1));
    }
    const double weight = prices.weights[static_cast<size_t>(encoding_.branches[b])];
    const Settled settled = domain.branches[b];
    sum.sizes.push_back(kStates);
    sum.prefixes.push_back({{variable},
                            {settled == Settled::kCut ? kInfinity : 0,
                             settled == Settled::kKept ? kInfinity : weight}});
}

Cheapest CheapestPlans::find(const Domain& domain, const Prices& prices) const {
    const Sum sum = this->sum(domain, prices);
    Elimination elimination(sum.sizes, sum.tables(), sum.totals);
    elimination.run();
    const auto choice = elimination.choice();
    Cheapest found{elimination.result().values[0] + sum.constant, uniform_plan(network_, kMaxBits),
                   std::vector<double>(costs_.budgets())};
    for (size_t f = 0; f < network_.families(); ++f) {
        const Family& family = sum.families[f];
        for (size_t i = 0; i < domain.settled[f].size(); ++i) {
            found.plan.cut[f][i] = domain.settled[f][i] == Settled::kCut;
        }
        const int64_t free = family.options[choice[f]].count - family.settled;
        for (int64_t i = 0; i < free; ++i) {
            found.plan.cut[f][family.order[static_cast<size_t>(i)]] = 1;
        }
    }
    for (size_t b = 0; b < network_.branches.size(); ++b) {
        if (choice[costs_.counters() + b] != 0) drop(network_, found.plan, b);
    }
    for (size_t l = 0; l < network_.tensors(); ++l) {
        if (found.plan.bits[l] == kGone) continue;
        size_t cell = 0, stride = 1, at = 0;
        for (size_t p = 0; p < costs_.scope(l).size(); ++p) {
            const size_t counter = costs_.scope(l)[p];
            cell += choice[counter] * stride;
            stride *= sum.sizes[counter];
            at += sum.options[counter][choice[counter]] * costs_.stride(l, p);
        }
        const size_t width = sum.layers[l].width[cell];
        found.plan.bits[l] = network_.widths(l)[width];
        const auto costs = costs_.of(l, at, width);
        for (size_t k = 0; k < costs.size(); ++k) found.costs[k] += costs[k];
    }
    return found;
}

namespace {

// What plans cost at least that cut a group, or keep it, at a count: beyond the cheapest of that
// count, the group takes the place of the last one that goes, or the first one that stays for it.
void settle_margins(const std::vector<double>& prefix, int64_t settled, size_t place,
                    const std::vector<double>& counts, double& cut, double& kept) {
    const size_t free = prefix.size() - 1;
    const auto weight = [&](size_t i) { return prefix[i + 1] - prefix[i]; };
    for (size_t m = 0; m <= free; ++m) {
        const double base = counts[m + static_cast<size_t>(settled)];
        if (base == kInfinity) continue;
        const bool goes = place < m;
        if (m > 0) cut = std::min(cut, base + (goes ? 0 : weight(place) - weight(m - 1)));
        if (m < free) kept = std::min(kept, base + (goes ? weight(m) - weight(place) : 0));
    }
}

}  // namespace

Margins CheapestPlans::margins(const Domain& domain, const Prices& prices) const {
    const Sum sum = this->sum(domain, prices);
    Margins margins;
    for (size_t f = 0; f < network_.families(); ++f) {
        const Family& family = sum.families[f];
        Elimination elimination(sum.sizes, sum.tables(), sum.totals);
        elimination.run({f});
        std::vector<double> counts(static_cast<size_t>(network_.groups(f)) + 1, kInfinity);
        for (size_t o = 0; o < family.options.size(); ++o) {
            const auto& option = family.options[o];
            for (int64_t c = option.first; c <= option.last; ++c) {
                counts[static_cast<size_t>(c)] = elimination.result().values[o] + sum.constant +
                                                 family.at(c) - family.at(option.count);
            }
            // The value may be that of a plan in which none goes with a branch.
            if (option.first == 0 && network_.branch_of_family(f) >= 0) {
                counts[0] = std::min(counts[0], elimination.result().values[o] + sum.constant);
            }
        }
        std::vector<double>& cut = margins.cut.emplace_back(domain.settled[f].size(), kInfinity);
        std::vector<double>& kept = margins.kept.emplace_back(cut);
        for (size_t place = 0; place < family.order.size(); ++place) {
            const size_t i = family.order[place];
            settle_margins(family.prefix, family.settled, place, counts, cut[i], kept[i]);
        }
        margins.counts.push_back(std::move(counts));
    }
    for (size_t l = 0; l < network_.tensors(); ++l) {
        std::vector<double> widths(network_.widths(l).size(), kInfinity);
        if (domain.widths_left(l) > 1) {
            Elimination elimination(sum.sizes, sum.tables(), sum.totals);
            elimination.run(sum.layers[l].table.scope);
            for (size_t w = 0; w < widths.size(); ++w) {
                if (!domain.allowed[l][w]) continue;
                Domain one = domain;
                std::fill(one.allowed[l].begin(), one.allowed[l].end(), uint8_t{0});
                one.allowed[l][w] = 1;
                Layer there = layer(one, prices, sum.options, l);
                if (network_.branch_of_layer(l) >= 0) {
                    there.table.values.resize(sum.layers[l].table.values.size(),
                                              there.weights.back());
                }
                for (size_t cell = 0; cell < there.table.values.size(); ++cell) {
                    const double value = elimination.result().values[cell] -
                                         sum.layers[l].table.values[cell] +
                                         there.table.values[cell] + sum.constant;
                    widths[w] = std::min(widths[w], value);
                }
            }
        }
        margins.widths.push_back(std::move(widths));
    }
    for (size_t b = 0; b < network_.branches.size(); ++b) {
        Elimination elimination(sum.sizes, sum.tables(), sum.totals);
        elimination.run({costs_.counters() + b});
        margins.there.push_back(elimination.result().values[0] + sum.constant);
        margins.gone.push_back(elimination.result().values[1] + sum.constant);
    }
    return margins;
}

}  // namespace adiabat::plan
