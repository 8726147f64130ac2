// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/budget.h"

#include <algorithm>
#include <charconv>
#include <cmath>

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

// Descends over one layer's bits or one family's kept count at a time until nothing gets smaller.
Plan smallest_plan(const Network& network, const std::function<int64_t(const Plan&)>& cost) {
    Plan plan = uniform_plan(network, kMinBits);
    const auto keep = [&](Plan& changed, size_t family, int64_t kept) {
        auto& cut = changed.cut[family];
        std::fill(cut.begin(), cut.end(), uint8_t{1});
        std::fill_n(cut.begin(), kept, uint8_t{0});
    };
    for (size_t f = 0; f < plan.cut.size(); ++f)
        keep(plan, f, allowed_kept(network, f, kLeastKept));
    int64_t least = cost(plan);
    for (bool smaller = true; smaller;) {
        smaller = false;
        const auto keep_if_smaller = [&](const Plan& candidate) {
            const int64_t here = cost(candidate);
            if (here >= least) return;
            least = here;
            plan = candidate;
            smaller = true;
        };
        for (size_t k = 0; k < plan.bits.size(); ++k) {
            for (int bits = kMinBits; bits <= kMaxBits; ++bits) {
                Plan candidate = plan;
                candidate.bits[k] = bits;
                keep_if_smaller(candidate);
            }
        }
        for (size_t f = 0; f < plan.cut.size(); ++f) {
            int64_t kept = allowed_kept(network, f, kLeastKept);
            for (int k = 0; k < kFewCounts && kept < network.groups(f); ++k) {
                Plan candidate = plan;
                keep(candidate, f, kept);
                keep_if_smaller(candidate);
                kept = allowed_kept(network, f, kept + 1);
            }
        }
    }
    return plan;
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
