// SPDX-License-Identifier: Apache-2.0
#pragma once

// For tests of samplers: draws from exact distributions (problems.test.h has those of problems).

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "adiabat/anneal/problems.test.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

inline uint64_t word_of(std::span<const uint8_t> x) {
    uint64_t word = 0;
    for (size_t i = 0; i < x.size(); ++i) word |= uint64_t{x[i]} << i;
    return word;
}

// exp(-action) normalized.
inline std::vector<double> normalized(std::vector<double> actions) {
    const double lowest = *std::ranges::min_element(actions);
    double sum = 0;
    for (double& action : actions) sum += action = std::exp(lowest - action);
    for (double& action : actions) action /= sum;
    return actions;
}

// Draws from a distribution by its sums.
class Draws {
  public:
    explicit Draws(std::span<const double> distribution) {
        double sum = 0;
        for (const double p : distribution) sums_.push_back(sum += p);
    }
    uint64_t operator()(Random& random) const {
        const double u = random.uniform() * sums_.back();
        return static_cast<uint64_t>(std::ranges::upper_bound(sums_, u) - sums_.begin());
    }

  private:
    std::vector<double> sums_;
};

}  // namespace adiabat::anneal
