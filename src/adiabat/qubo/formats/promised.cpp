// SPDX-License-Identifier: Apache-2.0
#include "adiabat/qubo/formats/promised.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <string>

namespace adiabat::qubo::formats {

namespace {

// The members of the outermost object as they stand in the text, up to the end of the text: a
// string with its quotes, a number, and of an array or object nothing but what is at its beginning.
class Members {
  public:
    explicit Members(std::string_view text) {
        int depth = 0;
        std::string_view name, last;
        for (size_t at = 0; at < text.size();) {
            const char c = text[at];
            if (c == '"') {
                const size_t end = end_of_string(text, at);
                last = text.substr(at + 1, end - at - 1);
                at = end + 1;
                continue;
            }
            if (c == ':' && depth == 1) {
                name = last;
                const size_t first =
                    std::min(text.find_first_not_of(" \t\r\n", at + 1), text.size());
                values_.emplace(name, text.substr(first));
            }
            if (c == '{' || c == '[') ++depth;
            if (c == '}' || c == ']') --depth;
            ++at;
        }
    }

    // The whole number that a member is, or the one number `index` of the array that it is.
    std::optional<int64_t> number(std::string_view name, int index = -1) const {
        std::string_view text = value(name);
        if (index >= 0 && !text.starts_with('[')) return {};
        for (int skipped = -1; skipped < index; ++skipped) {
            text.remove_prefix(std::min(text.find_first_of(skipped < 0 ? "[" : ","), text.size()));
            text.remove_prefix(std::min(text.find_first_of("-0123456789"), text.size()));
        }
        int64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        // What reaches to the end of the text may go on.
        if (error != std::errc() || end == text.data() + text.size()) return {};
        return number;
    }
    std::string_view value(std::string_view name) const {
        const auto found = values_.find(name);
        return found == values_.end() ? std::string_view() : found->second;
    }

  private:
    static size_t end_of_string(std::string_view text, size_t at) {
        for (++at; at < text.size() && text[at] != '"'; ++at) at += text[at] == '\\';
        return std::min(at, text.size());
    }

    std::map<std::string_view, std::string_view> values_;  // the first of a name
};

std::optional<Promise> of_binary(const Source& beginning) {
    // Behind the magic, the version and a length.
    constexpr size_t kHeader = 14;
    if (beginning.bytes.size() <= kHeader) return {};
    const Members members(beginning.bytes.substr(kHeader));
    const auto variables = members.number("shape", 0), pairs = members.number("shape", 1);
    if (!variables || !pairs) return {};
    return Promise{*variables, *pairs};
}

std::optional<Promise> of_own(const Source& beginning) {
    const Members members(beginning.bytes);
    const auto variables = members.number("variables");
    if (!variables || !members.value("form").starts_with("\"dense\"")) return {};
    return Promise{*variables, 0, true};
}

std::optional<Promise> of_bqm_json(const Source& beginning) {
    const Members members(beginning.bytes);
    const auto variables = members.number("num_variables");
    const auto pairs = members.number("num_interactions");
    if (!variables || !pairs) return {};
    return Promise{*variables, *pairs};
}

// The first line that is no comment; words[at] and words[at + step] are the numbers.
std::optional<Promise> of_lines(const Source& beginning, char comment, size_t words, size_t at) {
    for (LineScanner scanner(beginning); scanner.next();) {
        if (scanner.line().starts_with(comment)) continue;
        if (scanner.words().size() != words) return {};
        const auto variables = parse_integer(scanner.words()[at]);
        const auto pairs = parse_integer(scanner.words().back());
        if (!variables || !pairs) return {};
        return Promise{*variables, *pairs};
    }
    return {};
}

}  // namespace

std::optional<Promise> promised(const Source& beginning, Format format) {
    std::optional<Promise> promise;
    if (format == Format::kOwnJson) promise = of_own(beginning);
    if (format == Format::kBqmJson) promise = of_bqm_json(beginning);
    if (format == Format::kBqmBinary) promise = of_binary(beginning);
    if (format == Format::kQbsolv) promise = of_lines(beginning, 'c', 6, 3);
    if (format == Format::kRudy || format == Format::kRudyIsing || format == Format::kBiqMac)
        promise = of_lines(beginning, '#', 2, 0);
    // Impossible numbers are the reader's to refuse.
    if (promise &&
        (promise->variables < 0 || promise->variables > kMaxSparseVariables || promise->pairs < 0))
        promise.reset();
    return promise;
}

}  // namespace adiabat::qubo::formats
