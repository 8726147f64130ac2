// SPDX-License-Identifier: Apache-2.0
#pragma once

// What every run document says besides its results: seconds of each stage, memory, version.

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "adiabat/base/json.h"

namespace adiabat::pipeline {

// The version of the library, "0.1.0".
std::string_view version();

// Names the stages of a run one after another and keeps their wall-clock seconds.
class StageClock {
  public:
    // Ends the stage before and begins another.
    void begin(std::string name);
    void end();
    double total_seconds() const;
    Json to_json() const;  // [{"name": .., "seconds": ..}, ..]

  private:
    struct Stage {
        std::string name;
        double seconds = 0;
    };
    std::vector<Stage> stages_;
    std::chrono::steady_clock::time_point began_;
    bool is_running_ = false;
};

// Of a document's "sensing": "effects on two halves of 512 images correlate by 0.9971 (products:
// 0.61); ..", or that they were not compared.
std::string agreement_text(const Json& sensing);

// The most memory the process has had resident, in bytes.
int64_t peak_memory_bytes();

}  // namespace adiabat::pipeline
