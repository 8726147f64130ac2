// SPDX-License-Identifier: Apache-2.0
#pragma once

// A lower bound of a problem's energies within a time limit: the gap printed with every solve.
//
// In turn, the best counts: every term at its least (O(size of the problem)); the roof dual, where
// pairs are few enough; the convex reformulation with the constraints as Lagrangian terms, up to
// 2000 variables. Whole energies round it up. Bounds of the problem without its constraints are
// bounds of it.

#include <cstdint>
#include <string>

#include "adiabat/base/stop.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

struct BoundOptions {
    double time_limit = 2;  // seconds, kept within some 50 ms
    uint64_t seed = 0;
};

struct Bound {
    // No assignment that keeps the constraints has a lower energy; minus infinity where time did
    // not suffice to look at each coefficient once.
    double value = 0;
    std::string method;  // "none", "terms", "roof duality", "convex reformulation"
    double seconds = 0;
};

Bound lower_bound(const qubo::Problem& problem, const BoundOptions& options, StopToken stop = {});

}  // namespace adiabat::anneal
