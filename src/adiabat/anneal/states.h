// SPDX-License-Identifier: Apache-2.0
#pragma once

// Assignments as text: strings of 0 and 1 in the order of the variables. For a problem that was
// written as Ising 1 stands for +1 and 0 for -1.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/json.h"

namespace adiabat::anneal {

std::string bits_of(std::span<const uint8_t> x);

// Lines of zeros and ones, with or without spaces or commas between; empty lines and those that
// begin with # do not count. Throws InputError that begins with `where` and the line.
std::vector<std::vector<uint8_t>> parse_states(std::string_view text, int variables,
                                               const std::string& where);

// The assignments of a result's document (document.h), lowest first: a warm start. Throws
// InputError that begins with `where` unless they are there and have so many variables.
std::vector<std::vector<uint8_t>> states_of(const Json& document, int variables,
                                            const std::string& where);

}  // namespace adiabat::anneal
