// SPDX-License-Identifier: Apache-2.0
#pragma once

// The lowest different states that the stretches of a tabu search reached, for its restarts to
// choose from. O(states n) to offer one.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "adiabat/base/random.h"

namespace adiabat::anneal {

class Elite {
  public:
    explicit Elite(size_t most) : most_(most) {}

    void offer(const std::vector<uint8_t>& x, double energy) {
        if (x.empty() || std::ranges::any_of(kept_, [&](const Kept& k) { return k.x == x; }))
            return;
        if (kept_.size() == most_) {
            const auto worst = std::ranges::max_element(kept_, {}, &Kept::energy);
            if (energy >= worst->energy) return;
            *worst = {energy, x};
        } else {
            kept_.push_back({energy, x});
        }
    }
    // At least one was offered.
    const std::vector<uint8_t>& any(Random& random) const {
        return kept_[random.below(static_cast<uint32_t>(kept_.size()))].x;
    }

  private:
    struct Kept {
        double energy;
        std::vector<uint8_t> x;
    };
    size_t most_;
    std::vector<Kept> kept_;
};

}  // namespace adiabat::anneal
