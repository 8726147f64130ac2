// SPDX-License-Identifier: Apache-2.0
#pragma once

// What techniques made of walkers share: groups of reads over threads, and saying what was found.

#include <functional>
#include <mutex>

#include "adiabat/anneal/technique.h"
#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal {

// Calls body(first, count) for runs of reads that cover 0 .. reads - 1, on up to task.threads
// threads, in runs of at most `together` reads and so that all threads have work. The first run
// always begins; others do not once the watch is over. What a body computes must not depend on
// where runs are cut.
void for_each_run(const Task& task, int together,
                  const std::function<void(int first, int count)>& body);

// The read that a replica is.
Read read_of(const Walkers& walkers, int replica);

// The reads of a task that ended before it began: the first at its start.
Outcome outcome_at_start(const Task& task);

// Offers the energies of new best states to the watch, the true ones, recomputed in double: at once
// where the target may have been reached, else now and then, for the progress.
class Reporter {
  public:
    explicit Reporter(const Task& task) : task_(task) {}
    // To be called after each sweep.
    void look_at(const Walkers& walkers);

  private:
    const Task& task_;
    double reported_ = std::numeric_limits<double>::infinity();  // of the walkers' own energies
    double next_ = 0;                                            // seconds
};

}  // namespace adiabat::anneal
