// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/budget.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::plan {

namespace {

constexpr std::string_view kForm =
    "a budget reads file=175KB, bytes=30% or file=8x, several with commas";

Quantity parse_quantity(std::string_view name) {
    for (Quantity quantity : {Quantity::kFile, Quantity::kBytes}) {
        if (name == name_of(quantity)) return quantity;
    }
    throw InputError("--budget: unknown quantity `{}`: it must be file or bytes", name);
}

// The number before `suffix`, above zero.
double parse_factor(std::string_view text, std::string_view whole) {
    double factor = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), factor);
    if (error != std::errc() || end != text.data() + text.size() || !(factor > 0)) {
        throw InputError("--budget: `{}` is not a limit: {}", whole, kForm);
    }
    return factor;
}

int64_t parse_limit(std::string_view text, Quantity quantity, const Originals& originals) {
    const auto original =
        static_cast<double>(quantity == Quantity::kFile ? originals.file : originals.bytes);
    double limit = 0;
    if (text.ends_with('%')) {
        limit = original * parse_factor(text.substr(0, text.size() - 1), text) / 100;
    } else if (text.ends_with('x')) {
        limit = original / parse_factor(text.substr(0, text.size() - 1), text);
    } else {
        return parse_bytes(text, "--budget");
    }
    if (!(limit < 9e15)) throw InputError("--budget: `{}` is not a limit: {}", text, kForm);
    return static_cast<int64_t>(limit);
}

// Of each family so many of the least counts that may stay are tried.
constexpr int kFewCounts = 8;
// Elementary steps that trying every layer and family alone may take.
constexpr int64_t kMostSteps = 20'000'000;

using Members = std::vector<size_t>;

// Layers of one shape, and families of one size: what is best for one of them is for the others,
// but for a byte here and there.
std::vector<Members> alike_layers(const Network& network) {
    std::map<std::array<int64_t, 5>, Members> classes;
    const std::vector<net::LayerState> states =
        plan::states(network, uniform_plan(network, kMinBits));
    for (size_t k = 0; k < network.layers.size(); ++k) {
        const net::Layer& layer = network.layers[k];
        classes[{states[k].filters, states[k].inputs, layer.weights(), layer.groups,
                 layer.bias == net::kNoValue}]
            .push_back(k);
    }
    std::vector<Members> list;
    for (auto& [shape, members] : classes) list.push_back(std::move(members));
    return list;
}

std::vector<Members> alike_families(const Network& network) {
    std::map<std::array<int64_t, 3>, Members> classes;
    for (size_t f = 0; f < network.families(); ++f) {
        classes[{network.groups(f), network.coupling.families[f].channels, network.group_step(f)}]
            .push_back(f);
    }
    std::vector<Members> list;
    for (auto& [size, members] : classes) list.push_back(std::move(members));
    return list;
}

std::vector<Members> one_by_one(size_t count) {
    std::vector<Members> list;
    for (size_t k = 0; k < count; ++k) list.push_back({k});
    return list;
}

// Descends over the bits of some layers or the kept count of some families at a time until nothing
// gets smaller.
class Descent {
  public:
    Descent(const Network& network, const std::function<int64_t(const Plan&)>& cost)
        : network_(network), cost_(cost), plan_(uniform_plan(network, kMinBits)) {
        for (size_t f = 0; f < plan_.cut.size(); ++f) {
            keep(plan_, f, allowed_kept(network, f, kLeastKept));
        }
        least_ = cost_(plan_);
    }

    void run(const std::vector<Members>& layers, const std::vector<Members>& families) {
        for (bool smaller = true; smaller;) {
            smaller = false;
            for (const Members& members : layers) smaller |= try_bits(members);
            for (const Members& members : families) smaller |= try_counts(members);
        }
    }

    const Plan& plan() const { return plan_; }

  private:
    static void keep(Plan& changed, size_t family, int64_t kept) {
        auto& cut = changed.cut[family];
        std::fill(cut.begin(), cut.end(), uint8_t{1});
        std::fill_n(cut.begin(), kept, uint8_t{0});
    }

    bool take_if_smaller(Plan candidate) {
        const int64_t here = cost_(candidate);
        if (here >= least_) return false;
        least_ = here;
        plan_ = std::move(candidate);
        return true;
    }

    bool try_bits(const Members& layers) {
        bool smaller = false;
        for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
            Plan candidate = plan_;
            for (size_t k : layers) candidate.bits[k] = bits;
            smaller |= take_if_smaller(std::move(candidate));
        }
        return smaller;
    }

    bool try_counts(const Members& families) {
        bool smaller = false;
        int64_t kept = allowed_kept(network_, families[0], kLeastKept);
        for (int k = 0; k < kFewCounts && kept < network_.groups(families[0]); ++k) {
            Plan candidate = plan_;
            for (size_t f : families) keep(candidate, f, kept);
            smaller |= take_if_smaller(std::move(candidate));
            kept = allowed_kept(network_, families[0], kept + 1);
        }
        return smaller;
    }

    const Network& network_;
    const std::function<int64_t(const Plan&)>& cost_;
    Plan plan_;
    int64_t least_ = 0;
};

// The smallest plan that descents find: over all alike at once, then, where the network is not
// enormous, over each alone.
Plan smallest_plan(const Network& network, const std::function<int64_t(const Plan&)>& cost) {
    Descent descent(network, cost);
    descent.run(alike_layers(network), alike_families(network));
    const auto layers = std::ssize(network.layers),
               families = static_cast<int64_t>(network.families());
    if ((layers * (kMaxBits - kMinBits + 1) + families * kFewCounts) * (layers + families) <
        kMostSteps) {
        descent.run(one_by_one(network.layers.size()), one_by_one(network.families()));
    }
    return descent.plan();
}

}  // namespace

std::string_view name_of(Quantity quantity) {
    return quantity == Quantity::kFile ? "file" : "bytes";
}

std::vector<Budget> parse_budgets(std::string_view text, const Originals& originals) {
    std::vector<Budget> budgets;
    while (true) {
        const size_t comma = text.find(',');
        const std::string_view item = text.substr(0, comma);
        const size_t equals = item.find('=');
        if (equals == std::string_view::npos) {
            throw InputError("--budget: `{}` is not a budget: {}", item, kForm);
        }
        const Quantity quantity = parse_quantity(item.substr(0, equals));
        for (const Budget& budget : budgets) {
            if (budget.quantity == quantity) {
                throw InputError("--budget: {} is given twice", name_of(quantity));
            }
        }
        budgets.push_back({quantity, parse_limit(item.substr(equals + 1), quantity, originals)});
        if (comma == std::string_view::npos) return budgets;
        text.remove_prefix(comma + 1);
    }
}

bool is_feasible(const std::vector<Budget>& budgets, const CostFunctions& costs, const Plan& plan) {
    return std::all_of(budgets.begin(), budgets.end(), [&](const Budget& budget) {
        return costs.cost(budget.quantity, plan) <= budget.limit;
    });
}

Reachable reachable(const Network& network, const CostFunctions& costs, Quantity quantity) {
    const auto cost = [&](const Plan& plan) { return costs.cost(quantity, plan); };
    Reachable result;
    result.quantity = quantity;
    result.smallest_plan = smallest_plan(network, cost);
    result.smallest = cost(result.smallest_plan);
    result.middle = cost(uniform_plan(network, 4));
    result.largest = cost(uniform_plan(network, kMaxBits));
    return result;
}

void require_satisfiable(const Network& network, const CostFunctions& costs,
                         const std::vector<Budget>& budgets) {
    for (const Budget& budget : budgets) {
        const Reachable range = reachable(network, costs, budget.quantity);
        if (range.smallest > budget.limit) {
            throw InputError("--budget: {}={} cannot be reached: the smallest reachable is {}={}",
                             name_of(budget.quantity), budget.limit, name_of(budget.quantity),
                             range.smallest);
        }
    }
}

}  // namespace adiabat::plan
