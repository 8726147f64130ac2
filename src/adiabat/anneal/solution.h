// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a technique returns: assignments with their energies, lowest first.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "adiabat/base/errors.h"

namespace adiabat::anneal {

struct Solution {
    std::vector<uint8_t> x;  // zeros and ones
    double energy = 0;       // recomputed in double from x
    int multiplicity = 1;    // how often it was found

    bool operator==(const Solution&) const = default;
};

// Different assignments in ascending order of energy.
struct Solutions {
    std::vector<Solution> all;
    // The technique ran to its own end: no stop request and no time limit cut it short.
    bool complete = true;

    size_t size() const { return all.size(); }
    bool empty() const { return all.empty(); }
    const Solution& operator[](size_t k) const { return all[k]; }
    auto begin() const { return all.begin(); }
    auto end() const { return all.end(); }
    // The lowest.
    const Solution& front() const {
        ADIABAT_CHECK(!all.empty(), "no solution");
        return all.front();
    }

    bool operator==(const Solutions&) const = default;
};

}  // namespace adiabat::anneal
