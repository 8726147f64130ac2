// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/own_json_constraints.h"

#include <cmath>

#include "adiabat/qubo/formats/write.h"

namespace adiabat::qubo::formats {

namespace {

std::string name_of(const JsonMembers& members) {
    const auto name = members.find("name");
    return name ? name->string() : std::string();
}

LinearBudget read_budget(const JsonValue& value, int variables) {
    const JsonMembers members(value, {"name", "terms", "lower", "upper"});
    LinearBudget budget;
    budget.name = name_of(members);
    budget.terms = read_terms(members.need("terms"), variables);
    if (const auto lower = members.find("lower")) budget.lower = lower->number();
    if (const auto upper = members.find("upper")) budget.upper = upper->number();
    return budget;
}

Group read_group(const JsonValue& value, int variables) {
    const JsonMembers members(value, {"name", "members", "exactly_one"});
    Group group;
    group.name = name_of(members);
    group.exactly_one = members.need("exactly_one").boolean();
    members.need("members").for_each([&](const JsonValue& member) {
        group.members.push_back(static_cast<int>(member.integer(0, variables - 1, "a variable")));
    });
    return group;
}

Fixed read_fixed(const JsonValue& value, int variables) {
    Fixed fixed;
    bool first = true;
    value.expect_size(2, "values of a fixed variable [variable, 0 or 1]");
    value.for_each([&](const JsonValue& part) {
        if (first) {
            fixed.variable = static_cast<int>(part.integer(0, variables - 1, "a variable"));
        } else {
            fixed.value = static_cast<uint8_t>(part.integer(0, 1, "a value"));
        }
        first = false;
    });
    return fixed;
}

template <typename T, typename Read>
void read_list(const JsonMembers& members, std::string_view name, std::vector<T>& into, Read read) {
    const auto list = members.find(name);
    if (list) list->for_each([&](const JsonValue& value) { into.push_back(read(value)); });
}

// "name": [ lines ].
template <typename T, typename Append>
void append_list(std::string& text, std::string_view name, const std::vector<T>& list,
                 Append item) {
    if (list.empty()) return;
    append_all(text, ",\n\"", name, "\": [");
    for (size_t k = 0; k < list.size(); ++k) {
        text += k == 0 ? "\n" : ",\n";
        item(list[k]);
    }
    text += "]";
}

void append_named(std::string& text, const std::string& name) {
    text += "{";
    if (!name.empty()) append_all(text, "\"name\": ", json_string(name), ", ");
}

}  // namespace

std::vector<Term> read_terms(const JsonValue& terms, int variables) {
    std::vector<Term> made;
    terms.for_each([&](const JsonValue& value) {
        Term term;
        bool first = true;
        value.expect_size(2, "values of a term [variable, coefficient]");
        value.for_each([&](const JsonValue& part) {
            if (first) {
                term.variable = static_cast<int>(part.integer(0, variables - 1, "a variable"));
            } else {
                term.coefficient = part.number();
            }
            first = false;
        });
        made.push_back(term);
    });
    return made;
}

Constraints read_constraints(const JsonMembers& members, int variables) {
    Constraints constraints;
    read_list(members, "budgets", constraints.budgets,
              [&](const JsonValue& value) { return read_budget(value, variables); });
    read_list(members, "groups", constraints.groups,
              [&](const JsonValue& value) { return read_group(value, variables); });
    read_list(members, "fixed", constraints.fixed,
              [&](const JsonValue& value) { return read_fixed(value, variables); });
    try {
        constraints.check(variables);
    } catch (const InputError& error) {
        throw InputError("{}: {}", members.need("version").source().name, error.what());
    }
    return constraints;
}

void append_constraints(std::string& text, const Constraints& constraints) {
    append_list(text, "budgets", constraints.budgets, [&](const LinearBudget& budget) {
        append_named(text, budget.name);
        text += "\"terms\": [";
        for (size_t k = 0; k < budget.terms.size(); ++k) {
            append_all(text, k == 0 ? "[" : ", [", budget.terms[k].variable, ", ",
                       budget.terms[k].coefficient, "]");
        }
        text += "]";
        if (std::isfinite(budget.lower)) append_all(text, ", \"lower\": ", budget.lower);
        if (std::isfinite(budget.upper)) append_all(text, ", \"upper\": ", budget.upper);
        text += "}";
    });
    append_list(text, "groups", constraints.groups, [&](const Group& group) {
        append_named(text, group.name);
        text += "\"members\": [";
        for (size_t k = 0; k < group.members.size(); ++k)
            append_all(text, k == 0 ? "" : ", ", group.members[k]);
        append_all(text, "], \"exactly_one\": ", group.exactly_one ? "true" : "false", "}");
    });
    append_list(text, "fixed", constraints.fixed, [&](const Fixed& fixed) {
        append_all(text, "[", fixed.variable, ", ", static_cast<int>(fixed.value), "]");
    });
}

}  // namespace adiabat::qubo::formats
