// SPDX-License-Identifier: Apache-2.0
#pragma once

// Random problems for tests and measurements.

#include <cstdint>

#include "adiabat/qubo/dense.h"

namespace adiabat::qubo {

// Offset, linear terms and couplings uniform in [-1, 1), the couplings divided by sqrt(variables)
// so that local fields are of order one whatever the size. The same problem for the same arguments
// anywhere.
Dense random_dense(int variables, uint64_t seed);

// Offset, linear terms and couplings whole numbers in -3..3: many ties, and every energy exact.
Dense random_integer(int variables, uint64_t seed);

}  // namespace adiabat::qubo
