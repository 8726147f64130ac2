// SPDX-License-Identifier: Apache-2.0
#pragma once

// The semidefinite relaxation of a quadratic binary problem by coordinate descent on unit vectors.
//
// With x = (1 + s)/2 and one more spin for the linear terms, E is a constant plus s'Qs with N = n +
// 1 spins and zero diagonal. Spins become unit vectors v_i in about sqrt(2 N) dimensions (enough
// for the global minimum); v_i <- -g/|g|, g = sum_j Q_ij v_j, lowers sum_ij Q_ij v_i.v_j as far as
// v_i can. At the minimum y_i = |g_i| makes Q + diag(y) positive semidefinite, with -sum y the dual
// value: the diagonal shift of the convex reformulation, u = 8 y for the couplings J of x. Nothing
// here is a certificate; that is the business of positive_shift.h. A sweep costs O(n^2 sqrt(n)).
//
// Source: P. Wang, W. Chang, J. Kolter, "The Mixing method: low-rank coordinate descent for
// semidefinite programming with diagonal constraints" (2017).

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adiabat/anneal/bounds/symmetric.h"
#include "adiabat/anneal/watch.h"

namespace adiabat::anneal {

class Mixing {
  public:
    // Copies the problem's terms. Starts at vectors drawn from the seed.
    Mixing(const Symmetric& couplings, std::span<const double> linear, uint64_t seed);
    ~Mixing();
    Mixing(Mixing&&) noexcept;
    Mixing& operator=(Mixing&&) noexcept;
    Mixing(const Mixing&) = delete;
    Mixing& operator=(const Mixing&) = delete;

    // Other terms, same variables: the vectors stay (h enters through sums over rows: O(n^2)).
    void set_terms(const Symmetric& couplings, std::span<const double> linear);
    // The problem without variable i, whose value is settled, the first variable in its place;
    // set_terms has to follow.
    void drop(int i);

    // One sweep over all vectors, fewer where the watch is over; the dual estimate -sum y of it.
    double sweep(const Watch& watch = {});
    // Sweeps until one changes the estimate by less than `precision` of itself, `most` at most, or
    // the watch is over.
    void run(int most, double precision, const Watch& watch);
    // u_i = 8 y_i of the last sweep.
    std::vector<double> shift() const;
    // What x_i, and x_i x_j, are in the relaxation.
    double mean(int i) const;
    double product(int i, int j) const;
    // v_i.v_j.
    double cosine(int i, int j) const;

  private:
    struct Vectors;
    std::unique_ptr<Vectors> vectors_;
};

}  // namespace adiabat::anneal
