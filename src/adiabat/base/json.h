// SPDX-License-Identifier: Apache-2.0
#pragma once

// JSON documents whose members keep the order in which they were written.

#include <nlohmann/json.hpp>
#include <string>

namespace adiabat {

using Json = nlohmann::ordered_json;

// Indented by two. Bytes that are not UTF-8 (paths and names may hold any) become U+FFFD.
inline std::string to_text(const Json& json) {
    return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace adiabat
