// SPDX-License-Identifier: Apache-2.0
#pragma once

// For tests of samplers: how probable it is that a true sampler is as far off as what was found.
//
// chi_square_p: independent draws, counted, against the probabilities of the states (K. Pearson,
// 1900): sum of (found - expected)^2 / expected, as many degrees of freedom as states less one.
// mean_zero_p: independent vectors whose mean should be zero, whatever the correlations within each
// (H. Hotelling, 1931): T^2 = K m' S^-1 m of their mean m and covariance S.

#include <Eigen/Dense>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace adiabat::anneal::testing {

// The p-value below which a sampler is taken for wrong.
inline constexpr double kReject = 1e-4;

// P(chi^2 >= x), the upper incomplete gamma function Q(freedom / 2, x / 2): its series below a + 1,
// its continued fraction (Lentz's way) above.
inline double chi_square_tail(double chi, double freedom) {
    const double a = freedom / 2, x = chi / 2;
    if (x <= 0) return 1;
    const double front = std::exp(a * std::log(x) - x - std::lgamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (double k = a + 1; term > 1e-17 * sum; ++k) sum += term *= x / k;
        return 1 - front * sum;
    }
    double b = x + 1 - a, c = 1e300, d = 1 / b, fraction = d;
    for (int k = 1; k < 100'000; ++k) {
        const double an = -k * (k - a);
        b += 2;
        d = 1 / (an * d + b);
        c = b + an / c;
        fraction *= c * d;
        if (std::abs(c * d - 1) < 1e-15) break;
    }
    return front * fraction;
}

// States expected less than ten times count as one, with a common one where that is not enough; a
// state that cannot be gives 0.
inline double chi_square_p(std::span<const int64_t> counts, std::span<const double> distribution) {
    constexpr double kLeast = 10;
    struct Cell {
        double found = 0, expected = 0;
    };
    double total = 0;
    for (const int64_t count : counts) total += static_cast<double>(count);
    std::vector<Cell> cells;
    Cell rare;
    for (size_t k = 0; k < counts.size(); ++k) {
        const Cell cell{static_cast<double>(counts[k]), total * distribution[k]};
        if (cell.expected == 0 && cell.found > 0) return 0;
        if (cell.expected >= kLeast) {
            cells.push_back(cell);
        } else {
            rare.found += cell.found;
            rare.expected += cell.expected;
        }
    }
    if (rare.expected >= kLeast || cells.empty()) {
        cells.push_back(rare);
    } else {
        cells.front().found += rare.found;
        cells.front().expected += rare.expected;
    }
    double chi = 0;
    for (const Cell& cell : cells)
        chi += (cell.found - cell.expected) * (cell.found - cell.expected) / cell.expected;
    return cells.size() < 2 ? 1 : chi_square_tail(chi, static_cast<double>(cells.size() - 1));
}

// As chi-square with d degrees of freedom: vectors are many more than their d entries.
inline double mean_zero_p(const std::vector<Eigen::VectorXd>& vectors) {
    const auto count = static_cast<double>(vectors.size());
    const Eigen::Index d = vectors.front().size();
    Eigen::VectorXd mean = Eigen::VectorXd::Zero(d);
    for (const auto& v : vectors) mean += v / count;
    Eigen::MatrixXd covariance = Eigen::MatrixXd::Zero(d, d);
    for (const auto& v : vectors) covariance += (v - mean) * (v - mean).transpose() / (count - 1);
    const double t2 = count * mean.dot(covariance.ldlt().solve(mean));
    // T^2 (K - d) / (K - 1) is d times an F variable with d and K - d degrees of freedom.
    return chi_square_tail(t2 * (count - static_cast<double>(d)) / (count - 1),
                           static_cast<double>(d));
}

}  // namespace adiabat::anneal::testing
