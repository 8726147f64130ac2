// SPDX-License-Identifier: Apache-2.0
//
// CPLEX LP, as much of it as a quadratic binary problem with linear constraints needs: an objective
// with linear terms, a constant and "[ .. ] / 2", constraints, bounds that fix, a Binary section.
//
// Constraints with coefficients 1 and "= 1" become one-hot groups, with "<= 1" exclusive ones, all
// others budgets; bounds that leave one value fix the variable. Variables are numbered as the
// Binary section lists them. O(bytes).
//
// Source: IBM, "LP file format: algebraic representation" (CPLEX documentation); dimod 0.12,
// dimod.lp, which writes the same. The writer is in lp_write.cpp.

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "adiabat/qubo/formats/lp_tokens.h"
#include "adiabat/qubo/formats/readers.h"

namespace adiabat::qubo::formats {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Linear terms, products and a constant.
struct Expression {
    std::vector<Term> linear;
    std::vector<Edge> products;
    double constant = 0;
    bool has_constant = false;
};

class LpReader {
  public:
    explicit LpReader(const Source& source) : source_(source), words_(lp_words(source)) {}

    Problem read() {
        if (is_section(LpSection::kMinimize) || is_section(LpSection::kMaximize)) {
            sign_ = word().section == LpSection::kMaximize ? -1 : 1;
            ++at_;
            skip_label();
            objective_ = expression("the objective");
        }
        std::array<bool, 8> seen{};
        for (;;) {
            if (word().kind != LpToken::kSection) fail(expected_section_);
            const LpSection section = word().section;
            bool& before = seen[static_cast<size_t>(section)];
            if (before) fail("each section once");
            before = true;
            ++at_;
            if (section == LpSection::kEnd) break;
            read_section(section);
        }
        if (word().kind != LpToken::kEnd) fail("the end of the file");
        return finish();
    }

  private:
    struct Variable {
        std::string_view name;
        int64_t line = 0;
        int place = -1;  // in the Binary section
        double lower = -kInfinity, upper = kInfinity;
        int64_t bound_line = 0;
    };

    const LpWord& word(size_t ahead = 0) const {
        return words_[std::min(at_ + ahead, words_.size() - 1)];
    }
    bool is_section(LpSection section) const {
        return word().kind == LpToken::kSection && word().section == section;
    }
    bool is_symbol(std::string_view text, size_t ahead = 0) const {
        return word(ahead).kind == LpToken::kSymbol && word(ahead).text == text;
    }
    bool is(LpToken kind, size_t ahead = 0) const { return word(ahead).kind == kind; }
    [[noreturn]] void fail(std::string_view expected) const {
        fail_at(source_, word().line,
                is(LpToken::kEnd) ? "the end of the file" : in_quotes(word().text), expected);
    }
    bool take_symbol(std::string_view text) {
        if (!is_symbol(text)) return false;
        ++at_;
        return true;
    }

    int variable() {
        if (!is(LpToken::kName)) fail("a variable");
        const auto [place, fresh] =
            index_.emplace(word().text, static_cast<int>(variables_.size()));
        if (fresh) variables_.push_back({word().text, word().line});
        ++at_;
        return place->second;
    }
    std::string skip_label() {
        if (!is(LpToken::kName) || !is_symbol(":", 1)) return {};
        at_ += 2;
        return std::string(words_[at_ - 2].text);
    }
    // An optional sign and a number, an infinite one where `infinite`.
    double number(bool infinite) {
        double sign = 1;
        if (take_symbol("-")) {
            sign = -1;
        } else {
            take_symbol("+");
        }
        if (is(LpToken::kNumber)) return sign * words_[at_++].value;
        if (infinite && is_infinity()) {
            ++at_;
            return sign * kInfinity;
        }
        fail("a number");
    }
    bool is_infinity(size_t ahead = 0) const {
        if (!is(LpToken::kName, ahead)) return false;
        std::string lower(word(ahead).text);
        for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
        return lower == "inf" || lower == "infinity";
    }

    // The terms inside brackets, each times `factor`.
    void products(double factor, std::vector<Edge>& into) {
        for (bool first = true; !take_symbol("]"); first = false) {
            double coefficient = factor;
            if (take_symbol("-")) {
                coefficient = -factor;
            } else if (!take_symbol("+") && !first) {
                fail("'+', '-' or ']'");
            }
            if (is(LpToken::kNumber)) coefficient *= words_[at_++].value;
            const int i = variable();
            if (take_symbol("^")) {
                if (!is(LpToken::kNumber) || word().value != 2) fail("2, the only exponent");
                ++at_;
                into.push_back({i, i, coefficient});
            } else {
                if (!take_symbol("*")) fail("'*' or '^'");
                into.push_back({i, variable(), coefficient});
            }
        }
    }
    // Ends where no sign follows. `where` says what it is part of.
    Expression expression(const char* where) {
        Expression made;
        for (bool first = true;; first = false) {
            const bool minus = is_symbol("-");
            if (minus || is_symbol("+")) {
                ++at_;
            } else if (!first || !(is(LpToken::kNumber) || is_symbol("[") ||
                                   (is(LpToken::kName) && !is_symbol(":", 1)))) {
                return made;
            }
            double coefficient = minus ? -1 : 1;
            if (take_symbol("[")) {
                products(coefficient / 2, made.products);
                if (!take_symbol("/") || !is(LpToken::kNumber) || word().value != 2)
                    fail("'/ 2' behind the brackets");
                ++at_;
                continue;
            }
            const bool has_number = is(LpToken::kNumber);
            if (has_number) coefficient *= words_[at_++].value;
            if (is(LpToken::kName) && !is_symbol(":", 1)) {
                made.linear.push_back({variable(), coefficient});
            } else if (has_number) {
                made.constant += coefficient;
                made.has_constant = true;
            } else {
                fail(fmt::format("a term of {}", where));
            }
        }
    }

    void read_section(LpSection section) {
        if (section == LpSection::kConstraints) {
            if (variables_seen_in_tail_) fail("the constraints before bounds and variables");
            while (!is(LpToken::kSection) && !is(LpToken::kEnd)) constraint();
            expected_section_ = "Bounds, Binary or End";
        } else if (section == LpSection::kBounds) {
            while (!is(LpToken::kSection) && !is(LpToken::kEnd)) bound();
        } else if (section == LpSection::kBinary) {
            while (!is(LpToken::kSection) && !is(LpToken::kEnd)) {
                const int64_t line = word().line;
                Variable& listed = variables_[static_cast<size_t>(variable())];
                if (listed.place >= 0)
                    fail_at(source_, line, in_quotes(listed.name), "each variable once");
                listed.place = binaries_++;
            }
        } else if (section == LpSection::kInteger && is(LpToken::kName)) {
            fail("binary variables only, no integers");
        } else if (section != LpSection::kInteger) {
            --at_;
            fail("Subject To, Bounds, Binary or End");
        }
        variables_seen_in_tail_ = variables_seen_in_tail_ || section != LpSection::kConstraints;
    }

    char comparison() {
        if (!is(LpToken::kComparison)) fail("'<=', '>=' or '='");
        return words_[at_++].text[0];
    }
    // Narrows the interval by "value <comparison> bound".
    static void narrow(double& lower, double& upper, char comparison, double bound) {
        if (comparison != '>') upper = std::min(upper, bound);
        if (comparison != '<') lower = std::max(lower, bound);
    }
    static char mirrored(char comparison) {
        return comparison == '<' ? '>' : comparison == '>' ? '<' : '=';
    }
    // Whether a number and a comparison come next: "-2 <= ..".
    bool bound_in_front() const {
        const size_t k = is_symbol("-") || is_symbol("+") ? 1 : 0;
        return (is(LpToken::kNumber, k) || is_infinity(k)) && is(LpToken::kComparison, k + 1);
    }

    void constraint() {
        LinearBudget budget;
        const int64_t line = word().line;
        budget.name = skip_label();
        char in_front = 0;
        if (bound_in_front()) {
            const double bound = number(false);
            in_front = comparison();
            narrow(budget.lower, budget.upper, mirrored(in_front), bound);
        }
        const Expression left = expression("a constraint");
        if (left.has_constant) {
            fail_at(source_, line, "a constant beside variables",
                    "variables on one side, a number on the other");
        }
        if (!left.products.empty())
            fail_at(source_, line, "products in a constraint", "a linear constraint");
        if (!in_front || is(LpToken::kComparison)) {
            const int64_t place = word().line;
            const char second = comparison();
            if (in_front && (second == '=' || second != in_front))
                fail_at(source_, place, fmt::format("'{}' behind '{}'", second, in_front),
                        "a range, lower <= terms <= upper");
            narrow(budget.lower, budget.upper, second, number(false));
        }
        budget.terms = merged(left.linear);
        add_constraint(std::move(budget), line);
    }
    // Coefficients of one variable added up, in the order in which variables first come.
    std::vector<Term> merged(const std::vector<Term>& terms) {
        std::vector<Term> made;
        place_in_terms_.resize(variables_.size(), -1);
        for (const auto& [i, c] : terms) {
            int& place = place_in_terms_[static_cast<size_t>(i)];
            if (place < 0) {
                place = static_cast<int>(made.size());
                made.push_back({i, c});
            } else {
                made[static_cast<size_t>(place)].coefficient += c;
            }
        }
        for (const auto& term : terms) place_in_terms_[static_cast<size_t>(term.variable)] = -1;
        std::erase_if(made, [](const Term& term) { return term.coefficient == 0; });
        return made;
    }
    void add_constraint(LinearBudget budget, int64_t line) {
        if (budget.lower > budget.upper)
            fail_at(source_, line, fmt::format("a range from {} to {}", budget.lower, budget.upper),
                    "an interval");
        if (budget.terms.empty()) {
            if (budget.lower <= 0 && budget.upper >= 0) return;
            fail_at(source_, line, "a constraint without variables that does not hold", "terms");
        }
        const bool counts = std::ranges::all_of(
            budget.terms, [](const Term& term) { return term.coefficient == 1; });
        const bool exactly_one = budget.lower == 1;
        if (!counts || budget.upper != 1 || (!exactly_one && budget.lower != -kInfinity)) {
            constraints_.budgets.push_back(std::move(budget));
            return;
        }
        Group group{{}, exactly_one, std::move(budget.name)};
        for (const auto& term : budget.terms) group.members.push_back(term.variable);
        constraints_.groups.push_back(std::move(group));
    }

    void bound() {
        const int64_t line = word().line;
        double lower = -kInfinity, upper = kInfinity;
        char in_front = 0;
        if (bound_in_front()) {
            const double value = number(true);
            in_front = comparison();
            narrow(lower, upper, mirrored(in_front), value);
        }
        Variable& bounded = variables_[static_cast<size_t>(variable())];
        if (!in_front || is(LpToken::kComparison)) {
            const char second = comparison();
            narrow(lower, upper, second, number(true));
        }
        bounded.lower = std::max(bounded.lower, lower);
        bounded.upper = std::min(bounded.upper, upper);
        bounded.bound_line = line;
    }

    // What the bounds leave of 0 and 1.
    void fix(const Variable& variable) {
        const bool zero = variable.lower <= 0 && variable.upper >= 0;
        const bool one = variable.lower <= 1 && variable.upper >= 1;
        if (!zero && !one) {
            fail_at(
                source_, variable.bound_line,
                fmt::format("bounds of {} that leave neither 0 nor 1", in_quotes(variable.name)),
                "0 or 1 between them");
        }
        if (zero != one) constraints_.fixed.push_back({variable.place, static_cast<uint8_t>(one)});
    }

    Problem finish() {
        Pairs pairs;
        pairs.variables = binaries_;
        std::vector<std::string> names(static_cast<size_t>(binaries_));
        for (const Variable& variable : variables_) {
            if (variable.place < 0)
                fail_at(source_, variable.line, in_quotes(variable.name),
                        "it in the Binary section");
            names[static_cast<size_t>(variable.place)] = variable.name;
            fix(variable);
        }
        std::ranges::sort(constraints_.fixed, {}, &Fixed::variable);
        const auto place = [&](int i) { return variables_[static_cast<size_t>(i)].place; };
        pairs.offset = sign_ * objective_.constant;
        for (const auto& [i, c] : objective_.linear)
            pairs.edges.push_back({place(i), place(i), sign_ * c});
        for (const auto& [i, j, value] : objective_.products)
            pairs.edges.push_back({place(i), place(j), sign_ * value});
        for (auto& budget : constraints_.budgets) {
            for (auto& term : budget.terms) term.variable = place(term.variable);
        }
        for (auto& group : constraints_.groups) {
            for (int& member : group.members) member = place(member);
        }
        try {
            constraints_.check(binaries_);
        } catch (const InputError& error) {
            throw InputError("{}: {}", source_.name, error.what());
        }
        Problem problem = problem_of(source_, std::move(pairs), std::move(names));
        problem.constraints = std::move(constraints_);
        return problem;
    }

    Source source_;
    std::vector<LpWord> words_;
    size_t at_ = 0;
    double sign_ = 1;
    const char* expected_section_ = "Minimize, Maximize or Subject To";
    bool variables_seen_in_tail_ = false;
    Expression objective_;
    Constraints constraints_;
    std::vector<Variable> variables_;
    std::unordered_map<std::string_view, int> index_;
    std::vector<int> place_in_terms_;
    int binaries_ = 0;
};

}  // namespace

Problem read_lp(const Source& source, const ReadOptions&) { return LpReader(source).read(); }

}  // namespace adiabat::qubo::formats
