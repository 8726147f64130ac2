// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/constraints.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "adiabat/base/errors.h"

namespace adiabat::qubo {

namespace {

std::string named(const char* kind, const std::string& name, size_t index) {
    return name.empty() ? fmt::format("{} {}", kind, index) : fmt::format("{} '{}'", kind, name);
}

void check_variables(std::vector<int> members, int variables, const std::string& where) {
    std::ranges::sort(members);
    for (size_t k = 0; k < members.size(); ++k) {
        if (members[k] < 0 || members[k] >= variables)
            throw InputError("{} names variable {}: expected 0 to {}", where, members[k],
                             variables - 1);
        if (k > 0 && members[k] == members[k - 1])
            throw InputError("{} names variable {} twice", where, members[k]);
    }
}

int count(const Group& group, std::span<const uint8_t> x) {
    return static_cast<int>(std::ranges::count_if(
        group.members, [&](int i) { return x[static_cast<size_t>(i)] != 0; }));
}

}  // namespace

double LinearBudget::value(std::span<const uint8_t> x) const {
    double sum = 0;
    for (const auto& [i, c] : terms) sum += x[static_cast<size_t>(i)] ? c : 0.0;
    return sum;
}

double LinearBudget::tolerance() const {
    double sum = 0;
    for (const auto& term : terms) sum += std::abs(term.coefficient);
    return 1e-9 * sum;
}

bool Constraints::keeps(std::span<const uint8_t> x) const {
    const auto fits = [&](const LinearBudget& budget) {
        const double value = budget.value(x), tolerance = budget.tolerance();
        return value >= budget.lower - tolerance && value <= budget.upper + tolerance;
    };
    const auto one = [&](const Group& group) {
        const int set = count(group, x);
        return set == 1 || (set == 0 && !group.exactly_one);
    };
    const auto equal = [&](const Fixed& f) {
        return x[static_cast<size_t>(f.variable)] == f.value;
    };
    return std::ranges::all_of(fixed, equal) && std::ranges::all_of(groups, one) &&
           std::ranges::all_of(budgets, fits);
}

std::optional<std::string> Constraints::broken(std::span<const uint8_t> x) const {
    for (const Fixed& f : fixed) {
        if (x[static_cast<size_t>(f.variable)] != f.value)
            return fmt::format("variable {} is fixed at {}", f.variable, f.value);
    }
    for (size_t k = 0; k < groups.size(); ++k) {
        const int set = count(groups[k], x);
        if (set == 1 || (set == 0 && !groups[k].exactly_one)) continue;
        return fmt::format("{}: {} set, {}", named("group", groups[k].name, k), set,
                           groups[k].exactly_one ? "expected exactly one" : "expected one at most");
    }
    for (size_t k = 0; k < budgets.size(); ++k) {
        const double value = budgets[k].value(x), tolerance = budgets[k].tolerance();
        const std::string name = named("budget", budgets[k].name, k);
        if (value < budgets[k].lower - tolerance)
            return fmt::format("{}: {} < {}", name, value, budgets[k].lower);
        if (value > budgets[k].upper + tolerance)
            return fmt::format("{}: {} > {}", name, value, budgets[k].upper);
    }
    return {};
}

void Constraints::check(int variables) const {
    for (size_t k = 0; k < budgets.size(); ++k) {
        const LinearBudget& budget = budgets[k];
        const std::string where = named("budget", budget.name, k);
        std::vector<int> members;
        double least = 0, most = 0;
        for (const auto& [i, c] : budget.terms) {
            if (!std::isfinite(c)) throw InputError("{}: coefficient of {} is {}", where, i, c);
            members.push_back(i);
            (c < 0 ? least : most) += c;
        }
        check_variables(members, variables, where);
        if (std::isnan(budget.lower) || std::isnan(budget.upper) || budget.lower > budget.upper)
            throw InputError("{} is from {} to {}: expected an interval", where, budget.lower,
                             budget.upper);
        if (least > budget.upper + budget.tolerance() || most < budget.lower - budget.tolerance())
            throw InputError("{} is from {} to {}: its sum can be {} to {} only", where,
                             budget.lower, budget.upper, least, most);
    }
    for (size_t k = 0; k < groups.size(); ++k) {
        const std::string where = named("group", groups[k].name, k);
        check_variables(groups[k].members, variables, where);
        if (groups[k].members.empty() && groups[k].exactly_one)
            throw InputError("{} is empty: exactly one of nothing cannot be set", where);
    }
    std::map<int, uint8_t> values;
    for (const Fixed& f : fixed) {
        check_variables({f.variable}, variables, "a fixed variable");
        if (f.value > 1)
            throw InputError("variable {} is fixed at {}: expected 0 or 1", f.variable, f.value);
        if (!values.emplace(f.variable, f.value).second && values[f.variable] != f.value)
            throw InputError("variable {} is fixed at both 0 and 1", f.variable);
    }
}

}  // namespace adiabat::qubo
