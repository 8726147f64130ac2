// SPDX-License-Identifier: Apache-2.0
//
// Writes CPLEX LP (lp.cpp says what is read): the objective as "[ 2 J .. ] / 2", one line a
// constraint and two for a budget with two sides, fixed variables as bounds, all variables in order
// in the Binary section. Lines are broken before 80 characters, in front of a sign.

#include <cmath>
#include <set>

#include "adiabat/base/errors.h"
#include "adiabat/qubo/formats/lp_tokens.h"
#include "adiabat/qubo/formats/readers.h"
#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

constexpr size_t kLineLength = 80;

class LpWriter {
  public:
    explicit LpWriter(const Problem& problem) : problem_(problem) {
        bool numbers = true;
        for (const auto& name : problem.names) {
            const auto number = parse_integer(name);
            numbers = numbers && number && *number >= 0 && std::to_string(*number) == name;
        }
        for (int i = 0; i < problem.variables(); ++i) {
            names_.push_back((numbers ? "x" : "") + problem.name(i));
            if (is_lp_name(names_.back())) continue;
            throw InputError(
                "lp cannot hold the name {} of variable {}: expected letters, digits and "
                "!\"#$%&(),.;?@_'`{{}}~, no digit, period or exponent first, no word of the format",
                in_quotes(names_.back()), i);
        }
    }

    std::string write() {
        objective();
        put("\nSubject To\n");
        for (const auto& budget : problem_.constraints.budgets) write_budget(budget);
        for (const auto& group : problem_.constraints.groups) {
            if (group.members.empty()) continue;
            put(" ", label(group.name), ":");
            for (const int i : group.members) term(1, name(i));
            put(group.exactly_one ? " = 1\n" : " <= 1\n");
        }
        put("Bounds\n");
        for (const auto& [variable, value] : problem_.constraints.fixed)
            put(" ", name(variable), " = ", static_cast<int>(value), "\n");
        put("Binary\n");
        for (const auto& each : names_) {
            wrap(each.size() + 1);
            put(" ", each);
        }
        put("\nEnd\n");
        return std::move(text_);
    }

  private:
    const std::string& name(int i) const { return names_[static_cast<size_t>(i)]; }
    template <typename... Parts>
    void put(const Parts&... parts) {
        append_all(text_, parts...);
        const size_t end = text_.rfind('\n', text_.size());
        if (end != std::string::npos && end >= line_) line_ = end + 1;
    }
    // A new line where so many characters more would not fit.
    void wrap(size_t length) {
        if (text_.size() - line_ + length > kLineLength) put("\n");
    }
    void term(double coefficient, const std::string& what) {
        std::string made = std::signbit(coefficient) ? " - " : " + ";
        append(made, std::abs(coefficient));
        if (!what.empty()) append_all(made, " ", what);
        wrap(made.size());
        put(made);
    }
    // The name where LP can hold it and it is not taken, else a new one.
    std::string label(const std::string& wanted) {
        std::string made = wanted;
        while (!is_lp_name(made) || !labels_.insert(made).second)
            made = "c" + std::to_string(next_label_++);
        return made;
    }
    void objective() {
        const Listed list = list_of(problem_, false);
        put("Minimize\n obj:");
        bool empty = true;
        for (int i = 0; i < problem_.variables(); ++i) {
            const double value = list.linear[static_cast<size_t>(i)];
            if (value == 0) continue;
            term(value, name(i));
            empty = false;
        }
        if (!list.pairs.empty()) {
            put(" + [");
            for (const auto& [i, j, value] : list.pairs) term(2 * value, name(i) + " * " + name(j));
            put(" ] / 2");
        }
        if (list.offset != 0 || (empty && list.pairs.empty())) term(list.offset, "");
    }
    void write_side(const LinearBudget& budget, const std::string& wanted, const char* comparison,
                    double bound) {
        put(" ", label(wanted), ":");
        for (const auto& [i, c] : budget.terms) term(c, name(i));
        put(" ", comparison, " ", bound, "\n");
    }
    void write_budget(const LinearBudget& budget) {
        if (budget.terms.empty()) return;  // the check made sure that 0 keeps it
        const bool lower = std::isfinite(budget.lower), upper = std::isfinite(budget.upper);
        if (lower && upper && budget.lower == budget.upper) {
            write_side(budget, budget.name, "=", budget.lower);
            return;
        }
        if (upper) write_side(budget, budget.name, "<=", budget.upper);
        if (lower)
            write_side(budget, upper ? budget.name + "_lower" : budget.name, ">=", budget.lower);
    }

    const Problem& problem_;
    std::vector<std::string> names_;
    std::set<std::string> labels_;
    int next_label_ = 0;
    std::string text_;
    size_t line_ = 0;  // where the last line begins
};

}  // namespace

std::string write_lp(const Problem& problem) {
    problem.constraints.check(problem.variables());
    return LpWriter(problem).write();
}

}  // namespace adiabat::qubo::formats
