// SPDX-License-Identifier: Apache-2.0
#pragma once

// Simulated annealing: Metropolis walks by single flips while the temperature falls geometrically.
//
// Replicas are independent; each starts from its own random state (or a given one), makes `sweeps`
// sweeps and yields its last state and the lowest it has been in, polished by descent. A proposal
// costs O(1), an accepted one O(n) (see metropolis_walk.h); O(replicas sweeps n) proposals in all.
// All random numbers are keyed by (seed, replica, sweep, variable): the result is the same for any
// number of threads.
//
// Source: S. Kirkpatrick, C. Gelatt, M. Vecchi, "Optimization by simulated annealing" (1983).

#include <cstdint>
#include <optional>
#include <vector>

#include "adiabat/anneal/metropolis.h"
#include "adiabat/anneal/solution.h"
#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"
#include "adiabat/qubo/dense.h"

namespace adiabat::anneal {

struct AnnealingOptions {
    int64_t sweeps = 1000;  // of each replica, 1 to 2^32 - 1
    int replicas = 16;      // 1 to 1,000,000
    uint64_t seed = 0;
    std::optional<double> beta_min = {};  // inverse temperatures, > 0, in units of 1/energy; where
    std::optional<double> beta_max = {};  // not given from the problem (natural_range)
    int keep = 16;                        // how many different assignments to return at most
    int threads = 0;                      // 0: as many as the hardware has
    std::vector<uint8_t> initial = {};    // where all replicas start; empty: each at random
    // After so much time no replica begins and those that run are cut short; then the result
    // depends on the machine.
    std::optional<double> time_limit_seconds = {};
};

struct Annealed {
    // Of `best` and `last` together, different, at most `keep`.
    Solutions lowest;
    // The lowest state of each replica that began, polished by descent.
    std::vector<Solution> best;
    // Where each of them ended, as it was: a Boltzmann sample at beta_max.
    std::vector<Solution> last;
    BetaRange range;     // the temperatures used
    int64_t sweeps = 0;  // made by all replicas together
    int64_t flips = 0;   // accepted by all replicas together
    bool time_limit_reached = false;

    bool operator==(const Annealed&) const = default;
};

// Anneals. Energies are recomputed in double from the assignments before they are returned. On a
// stop request or at the time limit returns the best so far with `lowest.complete` false; the first
// replica always begins, so there is always a solution. Throws InputError for options out of range.
Annealed minimize_by_annealing(const qubo::Dense& problem, const AnnealingOptions& options,
                               StopToken stop = {}, ProgressSink& progress = no_progress());

// Bytes that the call above needs beyond the problem itself.
uint64_t annealing_memory_bytes(int variables, const AnnealingOptions& options);

// The temperatures that these options mean for this problem; throws InputError for options out of
// range.
BetaRange check_annealing_options(const qubo::Dense& problem, const AnnealingOptions& options);

// What replicas yield, made from the states: rescored, and for `best` polished. Shared with the
// naive twin.
struct ReplicaStates {
    std::vector<uint8_t> best, last;
};
void collect(const qubo::Dense& problem, std::vector<ReplicaStates>&& states, int keep,
             bool complete, Annealed& result);

}  // namespace adiabat::anneal
