// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/option.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/base/units.h"

namespace adiabat::anneal {

namespace {

// "a, b or c".
std::string listed(const std::vector<std::string>& words) {
    std::string text;
    for (size_t k = 0; k < words.size(); ++k) {
        if (k > 0) text += k + 1 < words.size() ? ", " : " or ";
        text += words[k];
    }
    return text;
}

// "4,294,967,295", "0.001", "1e300".
std::string number_text(double value) {
    constexpr double kMostWritten = 1e10;
    if (value == std::floor(value) && std::abs(value) < kMostWritten)
        return format_count(static_cast<int64_t>(value));
    std::string text = fmt::format("{:g}", value);
    std::erase(text, '+');
    return text;
}

}  // namespace

std::vector<std::string> words_of(const Option& option) {
    std::vector<std::string> words(1);
    for (const char* c = option.words; *c; ++c) {
        if (*c == '|') {
            words.emplace_back();
        } else {
            words.back() += *c;
        }
    }
    return words;
}

std::string range_text(const Option& option) {
    if (option.is_choice()) return listed(words_of(option));
    std::string text = std::isinf(option.most)
                           ? number_text(option.least) + " or more"
                           : number_text(option.least) + " to " + number_text(option.most);
    return option.whole ? text + ", whole" : text;
}

std::string fallback_text(const Option& option) {
    if (std::isnan(option.fallback)) return "from the problem";
    if (option.is_choice()) return words_of(option)[static_cast<size_t>(option.fallback)];
    return number_text(option.fallback);
}

const Option& OptionValues::find(std::string_view name) const {
    const auto found =
        std::ranges::find_if(table_, [&](const Option& o) { return name == o.name; });
    if (found != table_.end()) return *found;
    std::vector<std::string> names;
    for (const Option& option : table_) names.emplace_back(option.name);
    throw InputError("there is no option '{}' here: expected {}", name,
                     names.empty() ? "none" : listed(names));
}

void OptionValues::set(std::string_view name, std::string_view text) {
    const Option& option = find(name);
    if (option.is_choice()) {
        const auto words = words_of(option);
        const auto word = std::ranges::find(words, text);
        if (word == words.end())
            throw InputError("{} is '{}': expected {}", name, text, listed(words));
        values_[std::string(name)] = static_cast<double>(word - words.begin());
        return;
    }
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size())
        throw InputError("{} is '{}': expected {}", name, text, range_text(option));
    set(name, value);
}

void OptionValues::set(std::string_view name, double value) {
    const Option& option = find(name);
    const bool whole = !option.whole || value == std::floor(value);
    if (!(value >= option.least && value <= option.most) || !whole)
        throw InputError("{} is {:g}: expected {}", name, value, range_text(option));
    values_[std::string(name)] = value;
}

bool OptionValues::has(std::string_view name) const {
    return values_.contains(name) || !std::isnan(find(name).fallback);
}

double OptionValues::operator[](std::string_view name) const {
    if (const auto given = values_.find(name); given != values_.end()) return given->second;
    const double fallback = find(name).fallback;
    ADIABAT_CHECK(!std::isnan(fallback), "option {} has no value", name);
    return fallback;
}

std::string OptionValues::word(std::string_view name) const {
    return words_of(find(name))[static_cast<size_t>((*this)[name])];
}

Json OptionValues::json() const {
    Json json = Json::object();
    for (const Option& option : table_) {
        if (!has(option.name)) {
            json[option.name] = nullptr;
        } else if (option.is_choice()) {
            json[option.name] = word(option.name);
        } else if (option.whole) {
            json[option.name] = whole(option.name);
        } else {
            json[option.name] = (*this)[option.name];
        }
    }
    return json;
}

}  // namespace adiabat::anneal
