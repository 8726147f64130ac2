// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON documents whose members keep the order in which they were written.

#include <nlohmann/json.hpp>

namespace adiabat {

using Json = nlohmann::ordered_json;

}  // namespace adiabat
