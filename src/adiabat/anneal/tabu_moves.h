// SPDX-License-Identifier: Apache-2.0
#pragma once

// The state of a one-flip tabu search and its choice of the next flip: the lowest dE among the
// variables that are free, or among all where it leads below the best state (aspiration).
//
// Dense (and factored, whose rows are formed as needed): dE of all variables is updated and its
// lowest free value found in one pass over blocks of 16 variables, each with its minimum; a flip
// costs O(n). Sparse: the free variables stand in a tournament tree, a flip costs O(degree log n)
// and its choice O(tenure). Ties go to a place that the caller's random number decides (dense) or
// to a priority drawn when a variable was last flipped (sparse).

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

class TabuMoves {
  public:
    virtual ~TabuMoves() = default;

    // Another state; every variable is free.
    virtual void set(std::span<const uint8_t> x) = 0;
    // The variable to flip at this iteration; `aspiration`: a dE below it is allowed to any. -1
    // where all are tabu and none aspires.
    virtual int choose(int64_t iteration, double aspiration, uint32_t random) = 0;
    // Flips it; it is tabu before iteration `until`.
    virtual void flip(int i, int64_t until, uint32_t random) = 0;

    virtual double change(int i) const = 0;  // dE of flipping x_i
    double energy() const { return energy_; }
    std::span<const uint8_t> x() const { return x_; }
    // Elementary operations that one iteration takes, roughly.
    virtual int64_t work() const = 0;

  protected:
    double energy_ = 0;
    std::vector<uint8_t> x_;
};

// The way that suits the problem's form. Keeps a reference to `problem`. A state that was set when
// `watch` was over may have an energy of infinity: it is an assignment and no more.
std::unique_ptr<TabuMoves> make_tabu_moves(const qubo::Problem& problem,
                                           const Watch* watch = nullptr);
uint64_t tabu_moves_bytes(const qubo::Problem& problem);

}  // namespace adiabat::anneal
