// SPDX-License-Identifier: Apache-2.0
#pragma once

// The two ways in which anything here fails, and the one way in which it is interrupted.
//
// InputError: what the user gave is at fault; the message is one line that says what was found,
// where, and what would be right. The tool exits with 2. InternalError: our own mistake, thrown by
// ADIABAT_CHECK; the tool exits with 70. Interrupted: a stop was requested and there is no result
// worth keeping; exits with 3. The library neither prints nor exits.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace adiabat {

// The text with control characters as escapes ("\\n", "\\x1b"): names in files may hold any, a
// message is one line all the same.
std::string in_one_line(std::string_view text);

class InputError : public std::runtime_error {
  public:
    template <typename... Args>
    explicit InputError(fmt::format_string<Args...> text, Args&&... args)
        : std::runtime_error(in_one_line(fmt::format(text, std::forward<Args>(args)...))) {}
};

class InternalError : public std::logic_error {
  public:
    using std::logic_error::logic_error;
};

class Interrupted : public std::runtime_error {
  public:
    Interrupted() : std::runtime_error("interrupted") {}
};

// Throws InternalError with the place and `what`.
[[noreturn]] void fail_check(const char* file, int line, const char* condition,
                             const std::string& what);

}  // namespace adiabat

// Throws InternalError unless `condition` holds; the rest is an fmt format string and its
// arguments.
#define ADIABAT_CHECK(condition, ...)                                                          \
    do {                                                                                       \
        if (!(condition)) {                                                                    \
            ::adiabat::fail_check(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
        }                                                                                      \
    } while (false)
