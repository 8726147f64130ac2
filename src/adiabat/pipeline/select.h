// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the user wants to stay: which layers are touched, which widths they may get, how much of
// each is kept.
//
// Layers are named by their nodes, in one of three ways: exactly; with * (any characters) and ?
// (any one) for the whole name; or as re:REGEX, a POSIX extended regular expression that occurs
// anywhere in the name (^ and $ hold it to the ends). Names often begin with a slash, and none of
// the three takes a slash for anything else.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/plan/plan.h"

namespace adiabat::pipeline {

class NamePattern {
  public:
    // Throws InputError that begins with `option` ("--keep") where the expression is none.
    NamePattern(std::string text, std::string_view option);

    bool matches(const std::string& name) const;
    const std::string& text() const { return text_; }

  private:
    struct Expression;
    std::string text_;
    std::shared_ptr<const Expression> expression_;  // none where it begins with no re:
};

struct Controls {
    std::vector<std::string> keep = {};  // layers whose channels stay
    // Where any are given: the only layers whose channels go and whose widths differ from 8.
    std::vector<std::string> only = {};
    std::string bits = "2,3,4,5,6,7,8";  // widths that layers may have
    std::optional<int> first_last = {};  // the width of the first and last layers
    double least_kept = 0;               // share of each layer's filters that stays
    int64_t align = 1;                   // layers that are cut keep a multiple of so many channels
    bool keep_branches = false;          // no residual branch goes whole
    std::string activations = "8";       // bits of all; float: of none; mixed: decided
};

// "2,3,4,6,8", ascending. Throws InputError.
std::vector<int> parse_widths(std::string_view text);

// Of "8", "float" or "mixed". Throws InputError.
plan::Activations parse_activations(std::string_view text);

// Throws InputError for what is no pattern, no width or no share.
plan::NetworkOptions network_options(const Controls& controls);

// Throws InputError for a pattern that names no layer of the graph.
void require_matches(const Controls& controls, const net::Graph& graph);

}  // namespace adiabat::pipeline
