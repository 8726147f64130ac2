// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/states.h"

#include <fmt/format.h>

#include <algorithm>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

// Throws unless a line of a file is one assignment.
std::vector<uint8_t> parse_state(std::string_view line, int variables, const std::string& where) {
    std::vector<uint8_t> x;
    for (const char c : line) {
        if (c == ' ' || c == '\t' || c == ',' || c == '\r') continue;
        if (c != '0' && c != '1') throw InputError("{}: '{}': expected 0 or 1", where, c);
        x.push_back(c == '1');
    }
    if (x.size() != static_cast<size_t>(variables))
        throw InputError("{}: {} values: the problem has {} variables", where, x.size(), variables);
    return x;
}

}  // namespace

std::string bits_of(std::span<const uint8_t> x) {
    std::string bits;
    bits.reserve(x.size());
    for (const uint8_t value : x) bits += value ? '1' : '0';
    return bits;
}

std::vector<std::vector<uint8_t>> parse_states(std::string_view text, int variables,
                                               const std::string& where) {
    std::vector<std::vector<uint8_t>> states;
    size_t number = 0;
    while (!text.empty()) {
        ++number;
        const size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const size_t first = line.find_first_not_of(" \t\r");
        if (first == std::string_view::npos || line[first] == '#') continue;
        states.push_back(parse_state(line, variables, fmt::format("{}:{}", where, number)));
    }
    if (states.empty()) throw InputError("{}: no states: expected lines of 0 and 1", where);
    return states;
}

std::vector<std::vector<uint8_t>> states_of(const Json& document, int variables,
                                            const std::string& where) {
    if (!document.is_object() || !document.contains("solutions") ||
        !document["solutions"].is_array() || document["solutions"].empty())
        throw InputError("{}: no solutions: expected what `adiabat solve -o` writes", where);
    std::vector<std::vector<uint8_t>> states;
    for (const Json& solution : document["solutions"]) {
        if (!solution.is_object() || !solution.contains("x") || !solution["x"].is_string())
            throw InputError("{}: solution {} has no x: expected a string of 0 and 1", where,
                             states.size());
        states.push_back(parse_state(solution["x"].get<std::string>(), variables,
                                     fmt::format("{}: solution {}", where, states.size())));
    }
    return states;
}

}  // namespace adiabat::anneal
