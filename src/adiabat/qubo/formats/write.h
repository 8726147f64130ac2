// SPDX-License-Identifier: Apache-2.0
#pragma once

// What the writers share: numbers in the fewest digits that are read back the same, the problem as
// pairs of zeros and ones or of spins, and refusals of what a format cannot hold.

#include <string>
#include <vector>

#include "adiabat/qubo/ising.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::qubo::formats {

// The fewest digits, with an exponent where that is shorter.
void append(std::string& text, double value);
// The fewest digits without an exponent.
void append_fixed(std::string& text, double value);
void append(std::string& text, int value);
inline void append(std::string& text, std::string_view more) { text += more; }

// append() of one after the other.
template <typename... Parts>
void append_all(std::string& text, const Parts&... parts) {
    (append(text, parts), ...);
}

// Throws InputError where there are any; `format` is the format's name.
void refuse_constraints(const Problem& problem, const char* format);

// All pairs; a factored problem is expanded. Throws InputError where it is too large for that.
Sparse pairs_of(const Problem& problem);

// All linear terms, and the pairs i < j that interact, rows ascending.
struct Listed {
    std::vector<double> linear;
    std::vector<Edge> pairs;
    double offset = 0;
};
// As written: of spins where the problem is one of spins and `spins`, of zeros and ones otherwise.
Listed list_of(const Problem& problem, bool spins);

}  // namespace adiabat::qubo::formats
