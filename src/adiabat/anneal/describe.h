// SPDX-License-Identifier: Apache-2.0
#pragma once

// The table of techniques and their options as text, as Markdown (doc/techniques.md) and as a JSON
// schema: all made from the table itself (technique.h), so that none can disagree with the code.

#include <string>

#include "adiabat/anneal/technique.h"
#include "adiabat/base/json.h"

namespace adiabat::anneal {

// One line a technique: name, title, how budgets and groups are kept; for a help text.
std::string describe_briefly();
// All of it, options included.
std::string describe_as_text();
std::string describe_as_markdown();
// A schema (draft 2020-12) of {"technique": name, "values": {option: value, ..}}: the member
// "options" of a result (document.h) is valid under it.
Json describe_as_schema();

}  // namespace adiabat::anneal
