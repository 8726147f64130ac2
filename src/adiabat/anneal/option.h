// SPDX-License-Identifier: Apache-2.0
#pragma once

// One table of options a technique: parsing, ranges, help, JSON schema and documentation are all
// made from it, so that they cannot disagree.
//
// Values are numbers; a choice among words is the index of the word. An option whose default is
// "from the problem" (NaN in the table) is absent unless given.

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/json.h"

namespace adiabat::anneal {

inline constexpr double kFromProblem = std::numeric_limits<double>::quiet_NaN();

struct Option {
    const char* name;        // "beta-min": as on the command line and in JSON
    double fallback;         // kFromProblem where the problem decides
    double least, most;      // both allowed
    bool whole;              // a whole number
    const char* help;        // one line
    const char* words = "";  // "geometric|linear|adaptive": a choice; fallback is an index

    bool is_choice() const { return *words != 0; }
};

// The words of a choice, in order.
std::vector<std::string> words_of(const Option& option);
// "1 to 1e6, whole", "geometric, linear or adaptive".
std::string range_text(const Option& option);
// "1000", "geometric", "from the problem".
std::string fallback_text(const Option& option);

// What was given, checked against a table. Constructed empty: every option has its default.
class OptionValues {
  public:
    explicit OptionValues(std::span<const Option> table = {}) : table_(table) {}

    // Throws InputError where the name is not in the table or the value not in its range; the
    // message names what there is.
    void set(std::string_view name, std::string_view text);
    void set(std::string_view name, double value);

    // Whether there is a value: it was given, or the table has a default.
    bool has(std::string_view name) const;
    double operator[](std::string_view name) const;  // InternalError where there is none
    double get(std::string_view name, double otherwise) const {
        return has(name) ? (*this)[name] : otherwise;
    }
    int64_t whole(std::string_view name) const { return static_cast<int64_t>((*this)[name]); }
    // The word of a choice.
    std::string word(std::string_view name) const;
    // All values in the order of the table; "from the problem" is null.
    Json json() const;

  private:
    const Option& find(std::string_view name) const;

    std::span<const Option> table_;
    std::map<std::string, double, std::less<>> values_;
};

}  // namespace adiabat::anneal
