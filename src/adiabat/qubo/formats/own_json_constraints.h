// SPDX-License-Identifier: Apache-2.0
#pragma once

// The part of adiabat-qubo files that holds constraints: budgets, groups, fixed variables.

#include <string>
#include <vector>

#include "adiabat/qubo/constraints.h"
#include "adiabat/qubo/formats/json_text.h"

namespace adiabat::qubo::formats {

// [[variable, coefficient], ..].
std::vector<Term> read_terms(const JsonValue& terms, int variables);

// From the members "budgets", "groups" and "fixed", checked. Throws InputError.
Constraints read_constraints(const JsonMembers& members, int variables);
// The same members, each with a comma in front; nothing where there are no constraints.
void append_constraints(std::string& text, const Constraints& constraints);

}  // namespace adiabat::qubo::formats
