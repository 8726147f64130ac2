// SPDX-License-Identifier: Apache-2.0
#pragma once

// The operators that channels can be followed through, for the pass and for doc/operators.md.

#include <vector>

#include "adiabat/net/coupling_scope.h"

namespace adiabat::net {

const std::vector<NamedCouplingRule>& coupling_rules();

}  // namespace adiabat::net
