// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/natural_range.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace adiabat::anneal {

BetaRange natural_range(const qubo::Problem& problem) {
    constexpr double kFinestShare = 1.0 / 32;
    double largest = 0, finest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < problem.variables(); ++i) {
        double mean = problem.linear(i), squares = 0;
        double smallest = mean == 0 ? finest : std::abs(mean);
        qubo::for_each_coupling(problem, i, [&](int, double coupling) {
            mean += coupling / 2;
            squares += coupling * coupling / 4;
            smallest = std::min(smallest, std::abs(coupling));
        });
        const double typical = std::sqrt(mean * mean + squares);
        if (typical == 0) continue;
        largest = std::max(largest, typical);
        finest = std::min(finest, std::max(smallest, kFinestShare * typical));
    }
    if (largest == 0) return {};
    const double hot = std::log(2) / largest;
    return {hot, std::max(hot, std::log(100) / finest)};
}

}  // namespace adiabat::anneal
