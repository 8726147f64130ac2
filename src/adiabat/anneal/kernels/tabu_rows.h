// SPDX-License-Identifier: Apache-2.0
#pragma once

// One iteration of tabu search on a dense problem in fixed point: what the last flip does to the
// changes of all variables, and the lowest change among those that may flip, in one pass.
//
// d_j += s_j s_i J_ij for the flip of i from s_i; allowed are variables whose `until` has come, and
// those whose change is below the aspiration. Groups of 64 are gone through from `first_group` on,
// around the end: of equal changes the first on that way is chosen, so that a random first group
// breaks ties. O(n), some 15 instructions a vector; the same on every instruction set.

#include <cstddef>
#include <cstdint>

namespace adiabat::anneal {

struct TabuPass {
    const int32_t* row = nullptr;  // of the variable that flipped; null: none did
    int32_t sign = 0;              // its s before: 0 where x = 0, -1 where x = 1
    size_t size = 0;               // a multiple of 64
    int32_t iteration = 0, aspiration = 0;
    size_t first_group = 0;
};

// changes, signs, until: `size` values each, aligned to 64 bytes. The variable to flip, or -1.
int64_t tabu_pass(const TabuPass& pass, int32_t* changes, const int32_t* signs,
                  const int32_t* until);
int64_t tabu_pass_naive(const TabuPass& pass, int32_t* changes, const int32_t* signs,
                        const int32_t* until);

}  // namespace adiabat::anneal
