// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/describe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "adiabat/base/units.h"

namespace adiabat::anneal {

namespace {

constexpr const char* kHead = R"(# Techniques

What `adiabat solve --technique NAME` and `anneal/solve.h` know. Made from the tables in the code by
`adiabat solve --describe markdown`; a test compares, and `python tests/test_techniques_doc.py --renew` renews it.
`adiabat solve --describe schema` writes the same as a JSON schema.

## Constraints
How each technique keeps budgets (linear inequalities and equalities) and groups (one-hot, exclusive). *natively*: no
state it goes through breaks one; *by oscillation*: its search crosses the edge and returns, no member of its population and
no result breaks one; *by penalty*: a squared penalty in the energy, results are repaired; *refused*: it says so and ends.
Fixed variables are taken out of the problem for all of them.

)";

std::vector<std::vector<std::string>> constraint_rows() {
    std::vector<std::vector<std::string>> rows;
    for (const Technique* const t : techniques()) {
        rows.push_back({t->name, t->title, to_text(t->budgets), to_text(t->groups),
                        t->most_variables == std::numeric_limits<int>::max()
                            ? ""
                            : format_count(t->most_variables)});
    }
    return rows;
}

// Columns two spaces apart.
std::string aligned(const std::vector<std::vector<std::string>>& rows, const char* indent) {
    std::vector<size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line = indent;
        for (size_t c = 0; c < row.size(); ++c) line += fmt::format("{:<{}}  ", row[c], widths[c]);
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string markdown_row(const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const std::string& cell : cells) line += cell.empty() ? " |" : " " + cell + " |";
    return line + "\n";
}

// Broken into lines of at most `width`.
std::string wrapped(std::string_view text, size_t width, const std::string& indent) {
    std::string result, line;
    size_t at = 0;
    while (at < text.size()) {
        const size_t end = std::min(text.find(' ', at), text.size());
        const std::string_view word = text.substr(at, end - at);
        if (!line.empty() && indent.size() + line.size() + 1 + word.size() > width) {
            result += indent + line + "\n";
            line.clear();
        }
        line += (line.empty() ? "" : " ") + std::string(word);
        at = end + 1;
    }
    return result + indent + line + "\n";
}

// "A." as it stands, "a" with a full stop.
std::string sentence(std::string text) {
    if (!text.empty() && text.back() != '.') text += '.';
    return text;
}

Json option_schema(const Option& option) {
    Json schema = Json::object();
    if (option.is_choice()) {
        schema["enum"] = words_of(option);
    } else {
        schema["type"] = option.whole ? "integer" : "number";
        schema["minimum"] = option.least;
        if (std::isfinite(option.most)) schema["maximum"] = option.most;
    }
    const std::string fallback = fallback_text(option);
    if (std::isnan(option.fallback)) {
        // Absent or null: from the problem.
        if (option.is_choice()) {
            schema["enum"].push_back(nullptr);
        } else {
            schema["type"] = Json::array({schema["type"], "null"});
        }
        schema["default"] = nullptr;
    } else if (option.is_choice()) {
        schema["default"] = fallback;
    } else if (option.whole) {
        schema["default"] = static_cast<int64_t>(option.fallback);
    } else {
        schema["default"] = option.fallback;
    }
    schema["description"] = option.help;
    return schema;
}

Json technique_schema(const Technique& technique) {
    Json values = Json::object();
    for (const Option& option : technique.options) values[option.name] = option_schema(option);
    return {{"title", technique.title},
            {"description", technique.idea},
            {"type", "object"},
            {"properties",
             {{"technique", {{"const", technique.name}}},
              {"values",
               {{"type", "object"}, {"properties", values}, {"additionalProperties", false}}}}},
            {"required", Json::array({"technique"})},
            {"x-source", technique.source},
            {"x-keeps",
             {{"budgets", to_text(technique.budgets)}, {"groups", to_text(technique.groups)}}}};
}

}  // namespace

std::string describe_briefly() {
    auto rows = constraint_rows();
    rows.insert(rows.begin(), {"technique", "", "budgets", "groups", "variables"});
    return aligned(rows, "  ");
}

std::string describe_as_text() {
    std::string text = describe_briefly();
    for (const Technique* const t : techniques()) {
        text += fmt::format("\n{}: {} ({})\n", t->name, t->title, t->source);
        text += wrapped(sentence(t->idea), 100, "    ");
        std::vector<std::vector<std::string>> rows;
        for (const Option& option : t->options) {
            rows.push_back({fmt::format("--{}", option.name), fallback_text(option),
                            range_text(option), option.help});
        }
        text += aligned(rows, "    ");
    }
    return text;
}

std::string describe_as_markdown() {
    std::string text = kHead;
    text += markdown_row({"technique", "", "budgets", "groups", "variables at most"});
    text += "|---|---|---|---|---|\n";
    for (const auto& row : constraint_rows()) {
        auto cells = row;
        cells[0] = fmt::format("`{}`", cells[0]);
        text += markdown_row(cells);
    }
    text += "\n## Options\n";
    text += "Given as `--NAME VALUE` or `--set NAME=VALUE`.\n";
    for (const Technique* const t : techniques()) {
        text += fmt::format("\n### {}: `{}`\n", t->title, t->name);
        text += wrapped(sentence(t->idea) + " Source: " + sentence(t->source), 120, "");
        if (t->options.empty()) continue;
        text += "\n" + markdown_row({"option", "default", "values", ""}) + "|---|---|---|---|\n";
        for (const Option& option : t->options) {
            text += markdown_row({fmt::format("`{}`", option.name), fallback_text(option),
                                  range_text(option), option.help});
        }
    }
    return text;
}

Json describe_as_schema() {
    Json all = Json::array();
    for (const Technique* const technique : techniques()) {
        all.push_back(technique_schema(*technique));
    }
    return {{"$schema", "https://json-schema.org/draft/2020-12/schema"},
            {"title", "Options of adiabat's techniques"},
            {"oneOf", all}};
}

}  // namespace adiabat::anneal
