// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/scan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "adiabat/base/units.h"
#include "adiabat/qubo/formats/formats.h"
#include "adiabat/qubo/ising.h"

namespace adiabat::qubo::formats {

std::string in_quotes(std::string_view word) {
    constexpr size_t kShown = 40;
    if (word.size() <= kShown) return fmt::format("'{}'", word);
    return fmt::format("'{}...'", word.substr(0, kShown));
}

void fail_at(const Source& source, int64_t line, std::string_view found,
             std::string_view expected) {
    throw InputError("{}:{}: found {}, expected {}", source.name, line, found, expected);
}

std::optional<double> parse_number(std::string_view word) {
    std::string_view digits = word;
    if (!digits.empty() && (digits[0] == '+' || digits[0] == '-')) digits.remove_prefix(1);
    // What from_chars also takes: "inf", "nan", a second sign.
    if (digits.empty() || (digits[0] != '.' && (digits[0] < '0' || digits[0] > '9'))) return {};
    if (word[0] == '+') word.remove_prefix(1);
    double value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size()) return {};
    if (!(std::abs(value) <= kLargestCoefficient)) return {};
    return value;
}

std::optional<int64_t> parse_integer(std::string_view word) {
    if (word.size() > 1 && word[0] == '+' && word[1] != '-') word.remove_prefix(1);
    int64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size()) return {};
    return value;
}

int checked_variables(const Source& source, int64_t line, int64_t variables) {
    const auto by_size = static_cast<int64_t>(
        std::min<uint64_t>(uint64_t{16} * source.bytes.size(), kMaxSparseVariables));
    const int64_t most = std::max<int64_t>(kFreeVariables, by_size);
    if (variables < 0 || variables > most) {
        fail_at(source, line, fmt::format("{} variables", variables),
                fmt::format("0 to {} in a file of {}", format_count(most),
                            format_bytes(static_cast<int64_t>(source.bytes.size()))));
    }
    return static_cast<int>(variables);
}

bool LineScanner::next() {
    while (position_ < source_.bytes.size()) {
        const size_t end = std::min(source_.bytes.find('\n', position_), source_.bytes.size());
        line_ = source_.bytes.substr(position_, end - position_);
        if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
        position_ = end + 1;
        ++number_;
        words_.clear();
        for (size_t at = line_.find_first_not_of(" \t"); at != std::string_view::npos;) {
            const size_t stop = std::min(line_.find_first_of(" \t", at), line_.size());
            words_.push_back(line_.substr(at, stop - at));
            at = line_.find_first_not_of(" \t", stop);
        }
        if (!words_.empty()) return true;
    }
    ++number_;
    line_ = {};
    words_.clear();
    return false;
}

std::optional<double> LineScanner::offset_in_comment(std::string_view mark) const {
    constexpr std::string_view kKey = "offset=";
    if (words_.size() != 2 || words_[0] != mark || !words_[1].starts_with(kKey)) return {};
    const auto value = parse_number(words_[1].substr(kKey.size()));
    if (!value) fail(in_quotes(words_[1]), "offset=NUMBER, at most 1e60 in size");
    return value;
}

double LineScanner::number(size_t word) const {
    const auto value = parse_number(words_[word]);
    if (!value) fail(in_quotes(words_[word]), "a number of at most 1e60 in size");
    return *value;
}

int64_t LineScanner::integer(size_t word, int64_t low, int64_t high, const char* what) const {
    const auto value = parse_integer(words_[word]);
    if (!value || *value < low || *value > high) {
        if (high < low) fail(in_quotes(words_[word]), "nothing: there are no variables");
        fail(in_quotes(words_[word]), fmt::format("{}, {} to {}", what, low, high));
    }
    return *value;
}

void LineScanner::expect_words(size_t count, std::string_view form) const {
    if (words_.size() != count) fail(in_quotes(line_), form);
}

void refuse_duplicates(const Source& source, const Pairs& pairs, int base) {
    std::vector<size_t> order(pairs.edges.size());
    std::iota(order.begin(), order.end(), size_t{0});
    const auto key = [&](size_t k) {
        const auto& [i, j, value] = pairs.edges[k];
        return std::pair(std::min(i, j), std::max(i, j));
    };
    std::ranges::sort(
        order, [&](size_t a, size_t b) { return std::pair(key(a), a) < std::pair(key(b), b); });
    for (size_t k = 1; k < order.size(); ++k) {
        if (key(order[k]) != key(order[k - 1])) continue;
        const auto& [i, j, value] = pairs.edges[order[k]];
        fail_at(source, pairs.lines[order[k]],
                fmt::format("a second value of {} {} (the first is in line {})", i + base, j + base,
                            pairs.lines[order[k - 1]]),
                "each pair once");
    }
}

Problem problem_of(Pairs pairs, std::vector<std::string> names) {
    const auto n = static_cast<size_t>(pairs.variables);
    std::vector<double> linear(n, 0.0);
    if (!pairs.spins) {
        Sparse sparse(pairs.variables, pairs.edges, std::move(linear), pairs.offset);
        pairs.edges = {};
        return {best_form(std::move(sparse)), {}, std::move(names)};
    }
    Ising ising{std::move(linear), {}, pairs.offset};
    for (const Edge& edge : pairs.edges) {
        if (edge.i == edge.j) {
            ising.h[static_cast<size_t>(edge.i)] += edge.value;
        } else {
            ising.couplings.push_back(edge);
        }
    }
    pairs.edges = {};
    return {best_form(from_ising(ising)), {}, std::move(names), true};
}

void check_names(const Source& source, const std::vector<std::string>& names) {
    std::vector<std::string_view> sorted(names.begin(), names.end());
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice == sorted.end()) return;
    throw InputError("{}: two variables have the name {}, expected different names", source.name,
                     in_quotes(*twice));
}

}  // namespace adiabat::qubo::formats
