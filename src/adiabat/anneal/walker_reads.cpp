// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/walker_reads.h"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr double kSecondsBetweenReports = 0.2;
// Walkers round coefficients to about 1e-9 of the largest field.
constexpr double kNear = 1e-6;

}  // namespace

void for_each_run(const Task& task, int together, const std::function<void(int, int)>& body) {
    const int runs = std::max(std::min(task.threads, task.reads),
                              (task.reads + together - 1) / std::max(together, 1));
    std::atomic<int> next{0};
    parallel_for(std::min(runs, task.threads), task.threads, [&](int64_t, int64_t, int) {
        for (int run = next++; run < runs; run = next++) {
            if (run > 0 && task.watch.over()) return;
            const auto cut = [&](int k) {
                return static_cast<int>(int64_t{task.reads} * k / runs);
            };
            body(cut(run), cut(run + 1) - cut(run));
        }
    });
}

Read read_of(const Walkers& walkers, int replica) {
    return {walkers.best(replica), walkers.state(replica), walkers.best_energy(replica)};
}

Outcome outcome_at_start(const Task& task) {
    Outcome outcome;
    const auto x = start_of(task, 0);
    outcome.reads.push_back({x, x, 0});
    return outcome;
}

void Reporter::look_at(const Walkers& walkers) {
    int lowest = 0;
    for (int r = 1; r < walkers.replicas(); ++r)
        if (walkers.best_energy(r) < walkers.best_energy(lowest)) lowest = r;
    const double energy = walkers.best_energy(lowest);
    if (energy >= reported_) return;
    const auto target = task_.watch.target();
    const bool near = target && energy <= *target + kNear * (std::abs(*target) + std::abs(energy));
    const double now = task_.watch.seconds();
    // At the end solve() looks at all of them itself.
    if ((!near && now < next_) || task_.watch.over()) return;
    task_.watch.offer(task_.problem.energy(walkers.best(lowest)));
    reported_ = energy;
    next_ = now + kSecondsBetweenReports;
}

}  // namespace adiabat::anneal
