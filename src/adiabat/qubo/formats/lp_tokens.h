// SPDX-License-Identifier: Apache-2.0
#pragma once

// The words of CPLEX LP files: names, numbers, operators, and the words that open sections, which
// do so at the beginning of a line. Comments run from a backslash to the end of the line.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/qubo/formats/scan.h"

namespace adiabat::qubo::formats {

enum class LpToken { kName, kNumber, kSymbol, kComparison, kSection, kEnd };
enum class LpSection {
    kMinimize,
    kMaximize,
    kConstraints,
    kBounds,
    kBinary,
    kInteger,
    kOther,
    kEnd
};

struct LpWord {
    LpToken kind = LpToken::kEnd;
    std::string_view text;  // of a comparison: "<", ">" or "="
    int64_t line = 0;
    double value = 0;                       // of a number
    LpSection section = LpSection::kOther;  // of a section
};

// All words, kEnd last. Throws InputError.
std::vector<LpWord> lp_words(const Source& source);

// Whether LP can hold the name: letters, digits and !"#$%&(),.;?@_'`{}~ , no digit or period first,
// nothing that looks like an exponent or is a word of the format.
bool is_lp_name(std::string_view name);

}  // namespace adiabat::qubo::formats
