// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/scan.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "adiabat/base/units.h"
#include "adiabat/qubo/formats/formats.h"

namespace adiabat::qubo::formats {

namespace {

constexpr size_t kBytesBetweenLooks = size_t{1} << 20;

void refuse_memory(const Source& source, int64_t line, const std::string& what, uint64_t bytes) {
    if (!source.memory_limit || bytes <= *source.memory_limit) return;
    const auto text = [](uint64_t size) { return format_bytes(static_cast<int64_t>(size)); };
    const std::string place =
        line > 0 ? fmt::format("{}:{}", source.name, line) : std::string(source.name);
    throw InputError("{}: found {}, which needs {} of memory, expected {} at most", place, what,
                     text(bytes), text(*source.memory_limit));
}

// The pairs as a dense matrix, or nothing where so few of them are left that a sparse one is
// quicker. Sums are those of Sparse, in the same order.
Energy dense_of_pairs(const Source& source, const Pairs& pairs, std::span<const double> linear) {
    Dense dense(pairs.variables);
    dense.add_offset(pairs.offset);
    for (size_t i = 0; i < linear.size(); ++i) dense.add_linear(static_cast<int>(i), linear[i]);
    for (const auto& [i, j, value] : pairs.edges) {
        // Every time: the first touch of a page can take as long as thousands of steps.
        source.refuse_to_go_on();
        dense.add_coupling(i, j, value);
    }
    uint64_t left = 0;
    for (int i = 0; i < dense.variables(); ++i) {
        source.refuse_to_go_on();
        const auto row = dense.row(i).first(static_cast<size_t>(i));
        left += static_cast<uint64_t>(std::ranges::count_if(row, [](double v) { return v != 0; }));
    }
    if (dense_is_quicker(dense.variables(), left)) return dense;
    return sparse_of({std::move(dense)});
}

// From pairs of spins to pairs of zeros and ones, in place; the linear terms.
std::vector<double> make_binary(const Source& source, Pairs& pairs) {
    StopLooks looks(source);
    std::vector<double> linear(static_cast<size_t>(pairs.variables), 0.0);
    for (auto& [i, j, value] : pairs.edges) {
        looks.look();
        if (i != j) continue;
        linear[static_cast<size_t>(i)] += value;
        value = 0;
    }
    for (double& field : linear) {
        pairs.offset -= field;
        field *= 2;
    }
    for (auto& [i, j, value] : pairs.edges) {
        looks.look();
        if (i == j) continue;
        pairs.offset += value;
        linear[static_cast<size_t>(i)] -= 2 * value;
        linear[static_cast<size_t>(j)] -= 2 * value;
        value *= 4;
    }
    return linear;
}

}  // namespace

void Source::check_dense_memory(int64_t line, int64_t variables) const {
    const auto n = static_cast<uint64_t>(variables);
    if (variables > kMaxDenseVariables) return;  // refused for that
    refuse_memory(*this, line,
                  fmt::format("a dense problem of {} variables", format_count(variables)),
                  size + 8 * n * (n + 1));
}

void Source::check_memory(int64_t line, int64_t variables, uint64_t pairs, uint64_t held) const {
    // More pairs than bytes are not there.
    pairs = std::min(pairs, size);
    const auto n = static_cast<uint64_t>(variables);
    const bool dense =
        variables <= kMaxDenseVariables && dense_is_quicker(static_cast<int>(variables), pairs);
    // A sparse matrix is sorted beside what it is made from.
    const uint64_t made = dense ? 8 * n * (n + 1) : 24 * n + 56 * pairs;
    refuse_memory(*this, line,
                  fmt::format("a problem of {} variables and {} pairs", format_count(variables),
                              format_count(static_cast<int64_t>(pairs))),
                  size + held * pairs + made);
}

size_t count_lines(const Source& source, size_t from) {
    size_t count = 1;
    for (size_t at = from; at < source.bytes.size(); at += kBytesBetweenLooks) {
        source.refuse_to_go_on();
        count += static_cast<size_t>(
            std::ranges::count(source.bytes.substr(at, kBytesBetweenLooks), '\n'));
    }
    return count;
}

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
        looks_.look();
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
    StopLooks looks(source);
    HugeVector<size_t> order(pairs.edges.size());
    for (size_t k = 0; k < order.size(); ++k) {
        looks.look();
        order[k] = k;
    }
    const auto key = [&](size_t k) {
        const auto& [i, j, value] = pairs.edges[k];
        return std::pair(std::min(i, j), std::max(i, j));
    };
    const auto before = [&](size_t a, size_t b) {
        looks.look();
        return std::pair(key(a), a) < std::pair(key(b), b);
    };
    // Most files list their pairs in order.
    if (!std::is_sorted(order.begin(), order.end(), before)) std::ranges::sort(order, before);
    for (size_t k = 1; k < order.size(); ++k) {
        if (key(order[k]) != key(order[k - 1])) continue;
        const auto& [i, j, value] = pairs.edges[order[k]];
        fail_at(source, pairs.lines[order[k]],
                fmt::format("a second value of {} {} (the first is in line {})", i + base, j + base,
                            pairs.lines[order[k - 1]]),
                "each pair once");
    }
}

Problem problem_of(const Source& source, Pairs pairs, std::vector<std::string> names) {
    const bool spins = pairs.spins;
    pairs.lines = {};
    source.check_memory(0, pairs.variables, pairs.edges.size(), sizeof(Edge));
    std::vector<double> linear;
    if (spins) linear = make_binary(source, pairs);
    uint64_t couplings = 0;
    StopLooks looks(source);
    for (const auto& [i, j, value] : pairs.edges) {
        looks.look();
        couplings += i != j;
    }
    if (dense_is_quicker(pairs.variables, couplings))
        return {dense_of_pairs(source, pairs, linear), {}, std::move(names), spins};
    Sparse sparse(pairs.variables, pairs.edges, std::move(linear), pairs.offset, source.stop);
    return {best_form(std::move(sparse)), {}, std::move(names), spins};
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
