// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/select.h"

#include <regex.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/net/layers.h"

namespace adiabat::pipeline {

namespace {

constexpr std::string_view kExpressionPrefix = "re:";

// Goes back to the last * where the rest does not match. O(pattern x text).
bool matches_glob(std::string_view pattern, std::string_view text) {
    size_t p = 0, t = 0, star = std::string_view::npos, from = 0;
    while (t < text.size()) {
        if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) &&
            pattern[p] != '*') {
            ++p;
            ++t;
        } else if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            from = t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++from;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

std::vector<NamePattern> patterns_of(const std::vector<std::string>& texts,
                                     std::string_view option) {
    std::vector<NamePattern> patterns;
    for (const std::string& text : texts) patterns.emplace_back(text, option);
    return patterns;
}

const NamePattern* first_match(const std::vector<NamePattern>& patterns, const std::string& name) {
    const auto found = std::find_if(patterns.begin(), patterns.end(),
                                    [&](const NamePattern& p) { return p.matches(name); });
    return found == patterns.end() ? nullptr : &*found;
}

void require_width(int bits, std::string_view option) {
    if (bits < plan::kMinBits || bits > plan::kMaxBits) {
        throw InputError("{}: {} bits: layers may have {} to {}", option, bits, plan::kMinBits,
                         plan::kMaxBits);
    }
}

}  // namespace

// The regular expressions of the C library: std::regex takes a stack frame a character, and names
// in files may be of any length.
struct NamePattern::Expression {
    Expression(const std::string& text, const std::string& whole, std::string_view option) {
        const int error = regcomp(&compiled, text.c_str(), REG_EXTENDED | REG_NOSUB);
        if (error == 0) return;
        std::array<char, 128> why{};
        regerror(error, &compiled, why.data(), why.size());
        throw InputError("{}: `{}` is no regular expression: {}", option, whole, why.data());
    }
    ~Expression() { regfree(&compiled); }
    Expression(const Expression&) = delete;
    Expression& operator=(const Expression&) = delete;

    regex_t compiled{};
};

NamePattern::NamePattern(std::string text, std::string_view option) : text_(std::move(text)) {
    if (!text_.starts_with(kExpressionPrefix)) return;
    expression_ =
        std::make_shared<Expression>(text_.substr(kExpressionPrefix.size()), text_, option);
}

bool NamePattern::matches(const std::string& name) const {
    if (name == text_) return true;
    if (expression_) {
        return regexec(&expression_->compiled, name.c_str(), 0, nullptr, 0) == 0;
    }
    return matches_glob(text_, name);
}

std::vector<int> parse_widths(std::string_view text) {
    std::vector<int> widths;
    for (std::string_view rest = text;;) {
        const size_t comma = rest.find(',');
        const std::string_view item = rest.substr(0, comma);
        int bits = 0;
        const auto [end, error] = std::from_chars(item.data(), item.data() + item.size(), bits);
        if (error != std::errc() || end != item.data() + item.size()) {
            throw InputError("--bits: `{}` is no list of widths: it reads 2,3,4,6,8", text);
        }
        require_width(bits, "--bits");
        widths.push_back(bits);
        if (comma == std::string_view::npos) break;
        rest.remove_prefix(comma + 1);
    }
    std::sort(widths.begin(), widths.end());
    widths.erase(std::unique(widths.begin(), widths.end()), widths.end());
    return widths;
}

plan::Activations parse_activations(std::string_view text) {
    if (text == "8") return plan::Activations::kCoded;
    if (text == "float") return plan::Activations::kFloat;
    if (text == "mixed") return plan::Activations::kMixed;
    throw InputError("--activations: unknown `{}`: it must be 8, float or mixed", text);
}

plan::NetworkOptions network_options(const Controls& controls) {
    if (!(controls.least_kept >= 0 && controls.least_kept <= 1)) {
        throw InputError("--least-kept: {} is no share of filters: it must be 0 to 1",
                         controls.least_kept);
    }
    if (controls.first_last) require_width(*controls.first_last, "--first-last");
    plan::NetworkOptions options;
    options.align = controls.align;
    options.least_kept = controls.least_kept;
    options.branches = !controls.keep_branches;
    options.activations = parse_activations(controls.activations);
    options.widths = parse_widths(controls.bits);
    options.first_last = controls.first_last;
    const auto keep = patterns_of(controls.keep, "--keep");
    const auto only = patterns_of(controls.only, "--only");
    if (!keep.empty() || !only.empty()) {
        options.coupling.keep = [keep, only](const std::string& name) -> std::string {
            if (const auto* pattern = first_match(keep, name)) {
                return "as asked: --keep " + pattern->text();
            }
            if (!only.empty() && !first_match(only, name)) return "as asked: not named by --only";
            return "";
        };
    }
    if (!only.empty()) {
        options.stays = [only](const net::Layer& layer) { return !first_match(only, layer.name); };
    }
    return options;
}

void require_matches(const Controls& controls, const net::Graph& graph) {
    const auto layers = net::find_layers(graph);
    for (const auto& [option, texts] :
         {std::pair{"--keep", &controls.keep}, {"--only", &controls.only}}) {
        for (const NamePattern& pattern : patterns_of(*texts, option)) {
            const bool any =
                std::any_of(layers.begin(), layers.end(),
                            [&](const net::Layer& layer) { return pattern.matches(layer.name); });
            if (any) continue;
            throw InputError("{}: `{}` names no layer of the network (inspect lists them)", option,
                             pattern.text());
        }
    }
}

}  // namespace adiabat::pipeline
