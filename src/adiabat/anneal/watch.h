// SPDX-License-Identifier: Apache-2.0
#pragma once

// What ends a run before its own end: an interrupt, a time limit, a target energy. Shared by all
// threads of a run; every long loop asks over() at least every few milliseconds.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "adiabat/base/progress.h"
#include "adiabat/base/stop.h"

namespace adiabat::anneal {

enum class EndReason { kFinished, kTargetReached, kTimeLimit, kInterrupted };
// "finished", "target reached", "time limit", "interrupted".
const char* to_text(EndReason reason);

class Watch {
  public:
    using Clock = std::chrono::steady_clock;

    // The time limit counts from `start`, in seconds.
    Watch(StopToken stop, std::optional<double> time_limit, std::optional<double> target,
          ProgressSink& progress, Clock::time_point start = Clock::now());
    Watch() : Watch({}, {}, {}, no_progress()) {}

    // Whether to come to an end. Some 30 ns: the clock is read.
    bool over() const;
    EndReason reason() const;

    // Says that a state of this energy was found, the true one in double. Thread-safe. The lowest
    // is shown as progress.
    void offer(double energy);
    std::optional<double> target() const { return target_; }
    // The lowest that was offered; infinity where nothing was.
    double lowest() const { return lowest_.load(std::memory_order_relaxed); }

    // So many more steps of the stage are done (sweeps of a read, flips, nodes). Thread-safe.
    void begin(const char* stage, uint64_t steps, const char* unit);
    void advance(uint64_t steps);

    double seconds() const;
    // To the time limit; infinity where there is none, below zero behind it.
    double seconds_left() const;

  private:
    StopToken stop_;
    std::optional<Clock::time_point> deadline_;
    std::optional<double> target_;
    Clock::time_point start_;
    ProgressSink& progress_;
    std::mutex progress_mutex_;
    std::atomic<uint64_t> done_{0};
    std::atomic<int64_t> shown_at_{-1};  // milliseconds
    std::atomic<double> lowest_;
};

}  // namespace adiabat::anneal
