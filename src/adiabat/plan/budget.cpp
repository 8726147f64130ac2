// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/budget.h"

#include <algorithm>
#include <charconv>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::plan {

namespace {

constexpr std::string_view kForm =
    "a budget reads file=175KB, macs=60%, bops=1.5G or bytes=8x, several with commas";

bool is_bytes(Quantity quantity) {
    return quantity == Quantity::kFile || quantity == Quantity::kBytes ||
           quantity == Quantity::kActivations;
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
    // None may run in float; of all else none is never reached.
    if (quantity == Quantity::kFloat && (text == "0" || text == "0%")) return 0;
    const bool is_share = text.ends_with('%');
    if (!is_share && !text.ends_with('x')) {
        const std::string where = fmt::format("--budget {}", name_of(quantity));
        return is_bytes(quantity) ? parse_bytes(text, where) : parse_count(text, where);
    }
    const double factor = parse_factor(text.substr(0, text.size() - 1), text);
    const auto original = static_cast<double>(originals.of(quantity));
    if (original <= 0) {
        throw InputError("--budget: {}={}: the {} of this network are not known, so there is no {}",
                         name_of(quantity), text, name_of(quantity),
                         is_share ? "share of them" : "multiple of them");
    }
    const double limit = is_share ? original * factor / 100 : original / factor;
    if (!(limit < 9e15)) throw InputError("--budget: `{}` is not a limit: {}", text, kForm);
    return static_cast<int64_t>(limit);
}

}  // namespace

std::string_view name_of(Quantity quantity) {
    switch (quantity) {
        case Quantity::kFile:
            return "file";
        case Quantity::kBytes:
            return "bytes";
        case Quantity::kParams:
            return "params";
        case Quantity::kMacs:
            return "macs";
        case Quantity::kBops:
            return "bops";
        case Quantity::kActivations:
            return "activations";
        case Quantity::kFloat:
            return "float";
    }
    return "";
}

Quantity parse_quantity(std::string_view name, std::string_view where) {
    for (Quantity quantity : kQuantities) {
        if (name == name_of(quantity)) return quantity;
    }
    throw InputError(
        "{}: unknown quantity `{}`: it must be file, bytes, params, macs, bops, activations or "
        "float",
        where, name);
}

int64_t value_of(Quantity quantity, const net::Cost& cost) {
    switch (quantity) {
        case Quantity::kFile:
            break;
        case Quantity::kBytes:
            return cost.bytes;
        case Quantity::kParams:
            return cost.parameters;
        case Quantity::kMacs:
            return cost.macs;
        case Quantity::kBops:
            return cost.bops;
        case Quantity::kActivations:
            return cost.activations;
        case Quantity::kFloat:
            return cost.float_macs;
    }
    ADIABAT_CHECK(false, "{} is no part of a network's cost", name_of(quantity));
    return 0;
}

std::vector<Budget> parse_budgets(std::string_view text, const Originals& originals) {
    std::vector<Budget> budgets;
    while (true) {
        const size_t comma = text.find(',');
        std::string_view item = text.substr(0, comma);
        item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
        const size_t equals = item.find('=');
        if (equals == std::string_view::npos) {
            throw InputError("--budget: `{}` is not a budget: {}", item, kForm);
        }
        const Quantity quantity = parse_quantity(item.substr(0, equals), "--budget");
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

bool is_feasible(const std::vector<Budget>& budgets, const CostFunctions& costs,
                 std::span<const int64_t> cut, std::span<const int> bits) {
    const Budget* file = nullptr;
    net::Cost cost;
    bool is_known = false;
    for (const Budget& budget : budgets) {
        if (budget.quantity == Quantity::kFile) {
            file = &budget;
            continue;
        }
        if (!is_known) cost = costs.network(cut, bits);
        is_known = true;
        if (value_of(budget.quantity, cost) > budget.limit) return false;
    }
    return !file || costs.file(cut, bits) <= file->limit;
}

bool is_feasible(const std::vector<Budget>& budgets, const CostFunctions& costs, const Plan& plan) {
    return is_feasible(budgets, costs, cut_counts(plan), plan.bits);
}

void costs_of(const std::vector<Budget>& budgets, const CostFunctions& costs,
              std::span<const int64_t> cut, std::span<const int> bits, std::span<int64_t> values) {
    net::Cost cost;
    bool is_known = false;
    for (size_t k = 0; k < budgets.size(); ++k) {
        if (budgets[k].quantity == Quantity::kFile) {
            values[k] = costs.file(cut, bits);
            continue;
        }
        if (!is_known) cost = costs.network(cut, bits);
        is_known = true;
        values[k] = value_of(budgets[k].quantity, cost);
    }
}

}  // namespace adiabat::plan
