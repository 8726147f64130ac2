// SPDX-License-Identifier: Apache-2.0
#pragma once

// The best mixture of corners: a quadratic over a simplex, with limits on means.
//
//   min over a >= 0, sum a = 1, of  p.a + a'Ga / 2    with    sum_i a_i r_ik <= 0 for all k
//
// The pair of corners that gains most moves share from one to the other, as far as is best; limits
// enter as augmented Lagrangian terms, (max(0, lambda + rho r)^2 - lambda^2) / (2 rho), whose
// multipliers follow. O(corners) a pair. Source: S. Keerthi and others, "Improvements to Platt's
// SMO algorithm" (2001), for the pairs.

#include <Eigen/Core>
#include <vector>

namespace adiabat::plan {

class Mixture {
  public:
    // `stiffness` is rho, one for all limits: energy a unit of r.
    Mixture(size_t limits, double stiffness, std::vector<double> multipliers);

    // A corner with no share: its p, G with those before it and itself, and r.
    void add(double linear, const std::vector<double>& products, const std::vector<double>& excess);
    void set_shares(const std::vector<double>& shares);
    // Leaves the corners whose entry is not 0.
    void keep(const std::vector<uint8_t>& stays);

    // Until no pair gains more than `precision` energy a share, `most` pairs at most; then the
    // multipliers are those of the mixture.
    void improve(double precision, int64_t most);

    size_t corners() const { return linear_.size(); }
    const std::vector<double>& shares() const { return shares_; }
    const std::vector<double>& multipliers() const { return multipliers_; }
    const std::vector<double>& excess() const { return excess_; }  // r of the mixture
    // p.a + a'Ga / 2.
    double value() const;

  private:
    double multiplier(size_t k) const;
    double slope(size_t i, const std::vector<double>& now) const;
    void recompute();

    double stiffness_;
    std::vector<double> multipliers_, linear_, shares_;
    std::vector<double> fields_;                 // p + G a
    std::vector<double> excess_;                 // r of the mixture
    std::vector<std::vector<double>> products_;  // G, lower half with the diagonal
    std::vector<std::vector<double>> excesses_;  // r of each corner
    double product(size_t i, size_t j) const { return i >= j ? products_[i][j] : products_[j][i]; }
};

}  // namespace adiabat::plan
