// SPDX-License-Identifier: Apache-2.0
#pragma once

// Many problems that share one coupling matrix and differ in their linear terms, annealed together:
//
//     E_k(x) = offset + sum_i l_ki x_i + sum_{i<j} J_ij x_i x_j,    k = 0 .. K - 1.
//
// Rounding the weights of a layer is such a batch: every row of the layer has the layer's second
// moment for J. The rows of J are made ready once and move replicas of different problems together
// (kernels/dense_rows.h), so that each tile of J is fetched once for eight of them. Each problem
// has its own range of temperatures, unless one is given. O(n^2) once, O(1) a proposal, O(n) a
// flip; 4 n^2 bytes.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/anneal/natural_range.h"
#include "adiabat/anneal/solution.h"
#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

struct BatchOptions {
    int64_t sweeps = 200;  // of each read, 1 to 2^32 - 1
    int reads = 4;         // of each problem, 1 to 1,000,000
    uint64_t seed = 0;
    int threads = 0;  // 0: as many as the hardware has
    // Where all reads of problem k start, K states; empty: each at random.
    std::vector<std::vector<uint8_t>> initial = {};
    std::optional<double> time_limit = {};  // seconds
    // Of all problems alike; empty: each its natural range.
    std::optional<BetaRange> betas = {};
};

struct BatchResult {
    std::vector<Solution> best;  // of each problem: the lowest of its reads, polished by flips
    EndReason end = EndReason::kFinished;
    int64_t flips = 0;
};

// `couplings` gives J and the offset; its linear terms do not count. `linear`: K rows of n values.
// The same seed gives the same result for any number of threads. Where a stop or the time limit
// ends it, problems that no read was begun for have their start. Throws InputError for options and
// sizes out of range.
BatchResult anneal_batch(const qubo::Dense& couplings, std::span<const std::vector<double>> linear,
                         const BatchOptions& options, StopToken stop = {});

}  // namespace adiabat::anneal
