// SPDX-License-Identifier: Apache-2.0
#pragma once

// For tests of samplers: exact Boltzmann distributions of small problems, draws from them, and the
// chi-square distance of counts from a distribution.

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

inline std::vector<uint8_t> bits_of(uint64_t word, int n) {
    std::vector<uint8_t> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(word >> i & 1);
    return x;
}

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

// Of all 2^n assignments.
inline std::vector<double> boltzmann(const qubo::Problem& problem, double beta) {
    std::vector<double> actions;
    const int n = problem.variables();
    for (uint64_t word = 0; word < uint64_t{1} << n; ++word)
        actions.push_back(beta * problem.energy(bits_of(word, n)));
    return normalized(actions);
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

// How many standard deviations chi-square lies above its mean; outcomes expected fewer than ten
// times count as one. Beyond 4 the counts are of another distribution.
inline double excess_chi_square(std::span<const double> expected, std::span<const int64_t> counts) {
    double total = 0, statistic = 0, rare_expected = 0, rare_count = 0;
    for (const int64_t count : counts) total += static_cast<double>(count);
    int cells = 0;
    const auto add = [&](double mean, double count) {
        statistic += (count - mean) * (count - mean) / mean;
        ++cells;
    };
    for (size_t k = 0; k < counts.size(); ++k) {
        const double mean = total * expected[k];
        if (mean >= 10) {
            add(mean, static_cast<double>(counts[k]));
        } else {
            rare_expected += mean;
            rare_count += static_cast<double>(counts[k]);
        }
    }
    if (rare_expected >= 1) add(rare_expected, rare_count);
    const double freedom = std::max(1, cells - 1);
    return (statistic - freedom) / std::sqrt(2 * freedom);
}

}  // namespace adiabat::anneal
