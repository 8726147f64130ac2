// SPDX-License-Identifier: Apache-2.0
#pragma once

// Labels of variables as dimod has them in JSON: strings, numbers, lists of these. Names are
// strings; a whole number that stands for itself is written as a number again.

#include <string>
#include <vector>

#include "adiabat/qubo/formats/json_text.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::qubo::formats {

// No names where the labels are 0, 1, .. in order. Lists become their text, "[0,1]". Throws
// InputError unless there are `variables` of them, all different.
std::vector<std::string> names_of_labels(const JsonValue& labels, int variables);

// The JSON array, in ASCII: dimod reads its binary files as that.
std::string labels_of_names(const Problem& problem);

}  // namespace adiabat::qubo::formats
