// SPDX-License-Identifier: Apache-2.0
#pragma once

// One replica of a dense problem that moves by single flips, with all local fields kept current.
//
// A sweep proposes every variable once, in order. Sixteen proposals at a time are looked at
// together: where beta dE of all of them is beyond what any random number accepts, none is drawn
// and the block is done, which is what most blocks are once it is cold. An accepted flip adds one
// row of J to the fields: O(n). The body is written once and compiled for the baseline and for
// AVX2, chosen at run time; it has elementwise operations only (products with +-1, sums,
// comparisons), so that both give the same bits.
//
// Fields and energy are recomputed after 16 n accepted flips, which costs three parts in a hundred
// and keeps rounding from adding up.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

// Which numbers decide: a sweep's proposals are a function of these.
struct SweepKey {
    uint64_t seed = 0;
    uint32_t replica = 0;
    uint32_t sweep = 0;
};

class MetropolisWalk {
  public:
    // Keeps a reference to `problem`. A state counts as a new best where it is lower by more than
    // `tolerance`.
    MetropolisWalk(const qubo::Dense& problem, std::span<const uint8_t> start, double tolerance);

    void sweep(double beta, const SweepKey& key);

    // Accepted flips so far.
    int64_t flips() const { return flips_; }
    // Where the walk is, and the first of the lowest states it has been in.
    std::vector<uint8_t> state() const;
    std::vector<uint8_t> best() const;

    // For tests: never use more than the baseline instructions.
    void use_baseline_only() { widest_ = false; }

    // Bytes of one walk over n variables, the problem not counted.
    static uint64_t memory_bytes(int variables);

  private:
    friend struct SweepBody;
    void refresh();

    const qubo::Dense& problem_;
    double tolerance_;
    double energy_ = 0;
    double best_energy_ = 0;
    bool at_best_ = true;  // the best state is the current one and not copied yet
    bool widest_ = true;
    int64_t flips_ = 0;
    int64_t flips_at_refresh_ = 0;
    // Padded to whole blocks with variables that are never accepted.
    std::vector<double> field_;
    std::vector<double> sign_;       // 1 - 2 x_i: dE of a flip is sign * field
    std::vector<double> best_sign_;  // of the best state, unless at_best_
};

}  // namespace adiabat::anneal
