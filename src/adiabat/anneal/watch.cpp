// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/watch.h"

#include <fmt/format.h>

#include <limits>

namespace adiabat::anneal {

namespace {

constexpr int64_t kMillisecondsBetweenUpdates = 100;
constexpr double kForever = 1e9;  // seconds; beyond it the clock's type would overflow

}  // namespace

const char* to_text(EndReason reason) {
    switch (reason) {
        case EndReason::kFinished:
            return "finished";
        case EndReason::kTargetReached:
            return "target reached";
        case EndReason::kTimeLimit:
            return "time limit";
        case EndReason::kInterrupted:
            return "interrupted";
    }
    return "";
}

Watch::Watch(StopToken stop, std::optional<double> time_limit, std::optional<double> target,
             ProgressSink& progress, Clock::time_point start)
    : stop_(stop),
      target_(target),
      start_(start),
      progress_(progress),
      lowest_(std::numeric_limits<double>::infinity()) {
    if (time_limit && *time_limit < kForever) {
        deadline_ = start + std::chrono::duration_cast<Clock::duration>(
                                std::chrono::duration<double>(*time_limit));
    }
}

EndReason Watch::reason() const {
    if (stop_.requested()) return EndReason::kInterrupted;
    if (target_ && lowest() <= *target_) return EndReason::kTargetReached;
    if (deadline_ && Clock::now() >= *deadline_) return EndReason::kTimeLimit;
    return EndReason::kFinished;
}

bool Watch::over() const { return reason() != EndReason::kFinished; }

void Watch::offer(double energy) {
    double known = lowest();
    while (energy < known && !lowest_.compare_exchange_weak(known, energy)) {
    }
}

void Watch::begin(const char* stage, uint64_t steps, const char* unit) {
    const std::scoped_lock lock(progress_mutex_);
    done_ = 0;
    progress_.begin(stage, steps, unit);
}

void Watch::advance(uint64_t steps) {
    const uint64_t done = done_.fetch_add(steps, std::memory_order_relaxed) + steps;
    const auto now = static_cast<int64_t>(seconds() * 1000);
    int64_t shown = shown_at_.load(std::memory_order_relaxed);
    if (now - shown < kMillisecondsBetweenUpdates) return;
    if (!shown_at_.compare_exchange_strong(shown, now)) return;
    const std::scoped_lock lock(progress_mutex_);
    const double energy = lowest();
    progress_.update(done, energy < std::numeric_limits<double>::infinity()
                               ? fmt::format("energy {:.8g}", energy)
                               : std::string());
}

double Watch::seconds_left() const {
    if (!deadline_) return std::numeric_limits<double>::infinity();
    return std::chrono::duration<double>(*deadline_ - Clock::now()).count();
}

double Watch::seconds() const {
    return std::chrono::duration<double>(Clock::now() - start_).count();
}

}  // namespace adiabat::anneal
