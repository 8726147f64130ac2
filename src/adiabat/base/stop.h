// SPDX-License-Identifier: Apache-2.0
#pragma once

// A request to stop, made by one party (a signal handler, a deadline) and polled by long loops.
//
// A default-constructed token never asks to stop. Requesting is async-signal-safe: one relaxed
// atomic store.

#include <atomic>
#include <memory>

namespace adiabat {

class StopToken {
  public:
    StopToken() = default;
    bool requested() const { return flag_ && flag_->load(std::memory_order_relaxed); }

  private:
    friend class StopSource;
    explicit StopToken(std::shared_ptr<const std::atomic<bool>> flag) : flag_(std::move(flag)) {}
    std::shared_ptr<const std::atomic<bool>> flag_;
};

class StopSource {
  public:
    StopSource() : flag_(std::make_shared<std::atomic<bool>>(false)) {}
    void request() { flag_->store(true, std::memory_order_relaxed); }
    StopToken token() const { return StopToken(flag_); }

  private:
    std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace adiabat
