// SPDX-License-Identifier: Apache-2.0
#pragma once

// Progress on standard error: a bar that redraws itself on a terminal, plain lines elsewhere.

#include <chrono>
#include <cstdint>
#include <string>

#include "adiabat/base/progress.h"

namespace adiabat::cli {

class TerminalProgress : public ProgressSink {
  public:
    TerminalProgress();
    ~TerminalProgress() override;
    TerminalProgress(const TerminalProgress&) = delete;
    TerminalProgress& operator=(const TerminalProgress&) = delete;

    void begin(std::string_view stage, uint64_t steps, std::string_view unit) override;
    void update(uint64_t done, std::string_view note) override;
    // The stage's line stays, with the time it took.
    void end() override;
    void say(std::string_view line) override;

  private:
    void draw();
    void clear_line();

    bool is_terminal_;
    bool is_running_ = false;
    std::string stage_, unit_, note_;
    uint64_t steps_ = 0, done_ = 0;
    std::chrono::steady_clock::time_point began_, drawn_;
};

}  // namespace adiabat::cli
