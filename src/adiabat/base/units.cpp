// SPDX-License-Identifier: Apache-2.0
#include "adiabat/base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include "adiabat/base/errors.h"

namespace adiabat {

namespace {

struct Unit {
    std::string_view name;  // in lower case
    double factor;
};
constexpr std::array<Unit, 8> kByteUnits{{{"", 1},
                                          {"b", 1},
                                          {"kb", 1e3},
                                          {"mb", 1e6},
                                          {"gb", 1e9},
                                          {"kib", 0x1p10},
                                          {"mib", 0x1p20},
                                          {"gib", 0x1p30}}};
constexpr std::array<Unit, 4> kCountUnits{{{"", 1}, {"k", 1e3}, {"m", 1e6}, {"g", 1e9}}};
constexpr double kMost = 0x1p53;  // beyond it a double has no whole numbers

// What a number in one of the units is called in messages.
struct Words {
    std::string_view kind, one, expected;
};

int64_t parse_number(std::string_view text, std::string_view where, std::span<const Unit> units,
                     const Words& words) {
    const auto refuse = [&](std::string_view why, std::string_view what) -> InputError {
        return InputError("{}: \"{}\" {}{}: expected {}", where, text, why, what, words.expected);
    };
    const auto first = text.find_first_not_of(' ');
    if (first == std::string_view::npos) throw refuse("is empty", "");
    const char* const end = text.data() + text.size();
    double number = 0;
    const auto [stop, error] =
        std::from_chars(text.data() + first, end, number, std::chars_format::fixed);
    if (error != std::errc() || !std::isfinite(number)) throw refuse("is no ", words.kind);
    std::string name;
    for (const char* c = stop; c != end; ++c) {
        if (*c != ' ') name += static_cast<char>(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    for (const Unit& unit : units) {
        if (unit.name != name) continue;
        const double whole = std::round(number * unit.factor);
        if (whole < 1) throw refuse("is less than ", words.one);
        if (whole > kMost) throw refuse("is too large", "");
        return static_cast<int64_t>(whole);
    }
    throw refuse("has no unit that is known", "");
}

}  // namespace

int64_t parse_bytes(std::string_view text, std::string_view where) {
    return parse_number(text, where, kByteUnits,
                        {"size", "one byte",
                         "a number with B, KB, MB, GB (powers of 1000), KiB, MiB or GiB (powers of "
                         "1024)"});
}

int64_t parse_count(std::string_view text, std::string_view where) {
    return parse_number(text, where, kCountUnits,
                        {"count", "one", "a number with nothing, k, M or G (powers of 1000)"});
}

std::string format_bytes(int64_t bytes) {
    const char* const sign = bytes < 0 ? "-" : "";
    double value = std::abs(static_cast<double>(bytes));
    if (value < 1000) return fmt::format("{} B", bytes);
    for (const char* unit : {"KB", "MB", "GB", "TB"}) {
        value /= 1000;
        if (value < 9.995) return fmt::format("{}{:.2f} {}", sign, value, unit);
        if (value < 99.95) return fmt::format("{}{:.1f} {}", sign, value, unit);
        if (value < 999.5) return fmt::format("{}{:.0f} {}", sign, value, unit);
    }
    return fmt::format("{}{:.0f} TB", sign, value);
}

std::string format_count(int64_t count) {
    const std::string plain = std::to_string(count);
    const size_t sign = count < 0 ? 1 : 0;
    std::string text;
    for (size_t k = 0; k < plain.size(); ++k) {
        if (k > sign && (plain.size() - k) % 3 == 0) text += ',';
        text += plain[k];
    }
    return text;
}

}  // namespace adiabat
