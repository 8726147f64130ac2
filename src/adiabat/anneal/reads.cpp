// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/reads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>

#include "adiabat/base/threads.h"

namespace adiabat::anneal {

namespace {

constexpr double kSecondsBetweenOffers = 0.1;
constexpr double kNear = 1e-6;  // what rounding may do to an energy that a walk keeps current

}  // namespace

Outcome run_reads(const Task& task, int group,
                  const std::function<Tally(int first, std::span<Read> reads)>& body) {
    const int groups = (task.reads + group - 1) / group;
    Outcome outcome;
    outcome.reads.resize(static_cast<size_t>(task.reads));
    std::atomic<int> next{0};
    std::mutex mutex;
    const int workers = std::clamp(task.threads, 1, std::max(1, groups));
    parallel_for(workers, workers, [&](int64_t, int64_t, int) {
        for (;;) {
            // Asked before a group is taken: those that began are then the first ones.
            if (next.load() > 0 && task.watch.over()) return;
            const int g = next.fetch_add(1);
            if (g >= groups) return;
            const int first = g * group, count = std::min(group, task.reads - first);
            const std::span<Read> all(outcome.reads);
            const Tally tally =
                body(first, all.subspan(static_cast<size_t>(first), static_cast<size_t>(count)));
            const std::scoped_lock lock(mutex);
            outcome.sweeps += tally.sweeps;
            outcome.proposals += tally.proposals;
            outcome.flips += tally.flips;
        }
    });
    const int64_t begun = std::min<int64_t>(task.reads, int64_t{next.load()} * group);
    outcome.reads.resize(static_cast<size_t>(begun));
    return outcome;
}

void Incumbent::take(std::span<const uint8_t> x, double energy) {
    x_.assign(x.begin(), x.end());
    energy_ = energy;
    if (energy >= watch_.lowest()) return;
    const auto target = watch_.target();
    const bool near = target && energy <= *target + kNear * (std::abs(*target) + std::abs(energy));
    const double now = watch_.seconds();
    // At the end solve() looks at all of them itself.
    if ((!near && now < next_offer_) || watch_.over()) return;
    watch_.offer(problem_.energy(x_));
    next_offer_ = now + kSecondsBetweenOffers;
}

bool Pace::look() {
    watch_.advance(steps_);
    steps_ = 0;
    if (watch_.over()) return true;  // work_ stays: the next step asks again
    work_ = 0;
    return false;
}

}  // namespace adiabat::anneal
