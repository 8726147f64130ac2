// SPDX-License-Identifier: Apache-2.0
#pragma once

// Which inverse temperature a sweep has: geometric, linear in beta, or adaptive by specific heat.
//
// Adaptive: equal thermodynamic lengths. A pilot measures the spread of energies sigma_E(beta) on a
// ladder of temperatures; a sweep then advances beta so that sigma_E d beta is constant: slow where
// the specific heat beta^2 sigma_E^2 is large, fast where little happens. The pilot takes a tenth
// of the sweeps of a few replicas with random numbers of their own.
//
// Source: P. Salamon, J. Nulton, J. Robinson, J. Pedersen, G. Ruppeiner, L. Liao, "Simulated
// annealing with constant thermodynamic speed" (1988).

#include <cstdint>
#include <vector>

#include "adiabat/anneal/natural_range.h"
#include "adiabat/anneal/technique.h"
#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal {

class Schedule {
  public:
    Schedule(BetaRange range, Shape shape, int64_t sweeps)
        : range_(range), shape_(shape), sweeps_(sweeps) {}

    int64_t sweeps() const { return sweeps_; }
    const BetaRange& range() const { return range_; }
    double beta(int64_t sweep) const;

    // Replaces the shape by equal lengths of sigma_E between the betas of a ladder.
    void follow(std::vector<double> betas, const std::vector<double>& sigmas);

  private:
    BetaRange range_;
    Shape shape_;
    int64_t sweeps_;
    std::vector<double> betas_, lengths_;  // of the ladder, both ascending; empty: by shape
};

// The range that "beta-min" and "beta-max" mean: given, or the problem's. InputError where min >
// max.
BetaRange range_of(const Task& task);

// By "sweeps", "schedule" and the range; runs the pilot where the schedule is adaptive.
Schedule schedule_of(const Task& task, const Model& model);

}  // namespace adiabat::anneal
