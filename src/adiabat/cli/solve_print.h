// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tables that `adiabat solve` prints, from its documents (anneal/document.h).

#include "adiabat/base/json.h"

namespace adiabat::cli {

void print_result(const Json& document);
void print_result_fully(const Json& document);  // memory and options too
void print_comparison(const Json& document);
void print_ladder(const Json& document);

}  // namespace adiabat::cli
