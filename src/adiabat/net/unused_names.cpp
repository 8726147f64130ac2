// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/unused_names.h"

#include <fmt/format.h>

namespace adiabat::net {

std::string UnusedNames::take(std::string_view wanted) {
    if (taken_.empty()) {
        for (const Value& value : graph_.values) taken_.insert(value.name);
    }
    std::string name(wanted);
    for (int k = 2; !taken_.insert(name).second; ++k) name = fmt::format("{}_{}", wanted, k);
    return name;
}

}  // namespace adiabat::net
