// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/metropolis.h"

#include <algorithm>
#include <limits>

namespace adiabat::anneal {

namespace {

constexpr double kFinestShare = 1.0 / 32;

}  // namespace

std::vector<uint8_t> random_start(int variables, uint64_t seed, uint32_t replica) {
    Random random(seed, kInitialStream, replica);
    std::vector<uint8_t> x(static_cast<size_t>(variables));
    for (auto& value : x) value = static_cast<uint8_t>(random() >> 31);
    return x;
}

BetaRange natural_range(const qubo::Dense& problem) {
    double largest = 0, finest = std::numeric_limits<double>::infinity();
    for (int i = 0; i < problem.variables(); ++i) {
        double mean = problem.linear(i), squares = 0;
        double smallest = mean == 0 ? finest : std::abs(mean);
        for (const double coupling : problem.row(i)) {
            mean += coupling / 2;
            squares += coupling * coupling / 4;
            if (coupling != 0) smallest = std::min(smallest, std::abs(coupling));
        }
        const double typical = std::sqrt(mean * mean + squares);
        if (typical == 0) continue;
        largest = std::max(largest, typical);
        finest = std::min(finest, std::max(smallest, kFinestShare * typical));
    }
    if (largest == 0) return {};
    const double hot = std::log(2) / largest;
    return {hot, std::max(hot, std::log(100) / finest)};
}

double beta_at(const BetaRange& range, int64_t sweep, int64_t sweeps) {
    if (sweep + 1 >= sweeps || range.min == range.max) return range.max;
    const double part = static_cast<double>(sweep) / static_cast<double>(sweeps - 1);
    return range.min * std::exp(part * std::log(range.max / range.min));
}

}  // namespace adiabat::anneal
