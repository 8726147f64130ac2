// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/keep.h"

#include <algorithm>
#include <string_view>

#include "adiabat/base/errors.h"
#include "adiabat/net/layers.h"

namespace adiabat::pipeline {

namespace {

// Goes back to the last * where the rest does not match. O(pattern x text).
bool matches(std::string_view pattern, std::string_view text) {
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

}  // namespace

net::CouplingOptions coupling_options(const std::vector<std::string>& keep) {
    net::CouplingOptions options;
    if (keep.empty()) return options;
    options.keep = [keep](const std::string& name) -> std::string {
        for (const std::string& pattern : keep) {
            if (matches(pattern, name)) return "as asked: --keep " + pattern;
        }
        return "";
    };
    return options;
}

void require_matches(const std::vector<std::string>& keep, const net::Graph& graph) {
    const auto layers = net::find_layers(graph);
    for (const std::string& pattern : keep) {
        const bool any = std::any_of(layers.begin(), layers.end(), [&](const net::Layer& layer) {
            return matches(pattern, layer.name);
        });
        if (!any) {
            throw InputError("--keep: `{}` names no layer of the network (inspect lists them)",
                             pattern);
        }
    }
}

}  // namespace adiabat::pipeline
