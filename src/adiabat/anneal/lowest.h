// SPDX-License-Identifier: Apache-2.0
#pragma once

// Keeps the k lowest different assignments of those it is offered.
//
// An offer that is too high costs one comparison; one that is kept costs O(n + log k). An
// assignment that is offered again counts in its multiplicity. Among equal energies those offered
// first stay, in that order.

#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>

#include "adiabat/anneal/solution.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

inline constexpr int kMaxKept = 1'000'000;

class Lowest {
  public:
    // Throws InputError unless 1 <= keep <= kMaxKept.
    explicit Lowest(int keep);

    void offer(std::span<const uint8_t> x, double energy) {
        if (energy <= worst_) consider(x, energy);
    }

    // What is kept, every energy recomputed from its assignment, and sorted anew by it.
    Solutions rescored(const qubo::Dense& problem, bool complete) const;

  private:
    using Key = std::pair<double, uint64_t>;  // energy, order of the first offer
    struct Kept {
        std::string x;
        int multiplicity = 1;
    };
    void consider(std::span<const uint8_t> x, double energy);

    size_t keep_;
    uint64_t offers_ = 0;
    double worst_ = std::numeric_limits<double>::infinity();  // of what is kept, once it is full
    std::map<Key, Kept> kept_;
    std::unordered_map<std::string, Key> where_;
};

}  // namespace adiabat::anneal
