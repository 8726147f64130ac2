// SPDX-License-Identifier: Apache-2.0
#pragma once

// Path-integral Monte Carlo of a problem in a transverse field: M copies of the assignment, the
// Trotter slices, each coupled to the next around a ring.
//
// For H = -A sum_i sigma^x_i + B E the weight of a configuration of slices x^1..x^M is
//
//     exp(-(beta B / M) sum_m E(x^m) + K sum_m sum_i s^m_i s^(m+1)_i),  K = -1/2 ln tanh(beta A /
//     M),
//
// s = 2x - 1, exact as M grows. A sweep proposes every variable of every slice once and then every
// variable in all slices at once, which leaves K's term alone: M n + n proposals, each O(1) with
// cached local fields, an accepted one O(n) or O(degree) a slice. Proposals are decided by words
// keyed by (seed, read, sweep, slice, variable).
//
// Source: M. Suzuki (1976); R. Martonak, G. Santoro, E. Tosatti, "Quantum annealing by the
// path-integral Monte Carlo method: the two-dimensional random Ising model" (2002).

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/reads.h"

namespace adiabat::anneal {

// What a sweep's acceptance depends on.
struct SliceWeights {
    double energy = 0;  // beta B / M
    double link = 0;    // K
};

// From inverse temperature and the two amplitudes; A = 0 counts as 1e-12 of what makes the link
// one.
SliceWeights slice_weights(double beta, double a, double b, int slices);

class SlicedWalk {
  public:
    // All slices start as `start`. Keeps a reference to `problem`; slices >= 2.
    SlicedWalk(const qubo::Problem& problem, int slices, std::span<const uint8_t> start,
               uint64_t seed, uint32_t read, const Watch* watch = nullptr);

    int slices() const { return static_cast<int>(slices_.size()); }
    const LocalFields& slice(int m) const { return slices_[static_cast<size_t>(m)]; }
    void set(int m, std::span<const uint8_t> x) { slices_[static_cast<size_t>(m)].set(x); }

    // One sweep; ends early, in a valid state, where the pace says so (then false).
    bool sweep(const SliceWeights& weights, uint32_t sweep, Pace& pace);

    int64_t flips() const { return flips_; }  // of single variables in single slices

  private:
    bool sweep_slice(int m, const SliceWeights& weights, uint32_t sweep, Pace& pace);
    bool sweep_all(const SliceWeights& weights, uint32_t sweep, Pace& pace);
    // The words for variables 4 group .. 4 group + 3 of slice m; m = slices: of all.
    std::array<uint32_t, 4> words(int m, int group, uint32_t sweep) const;

    std::vector<LocalFields> slices_;
    uint64_t seed_;
    uint32_t read_;
    int64_t flip_work_;
    int64_t flips_ = 0;
};

}  // namespace adiabat::anneal
