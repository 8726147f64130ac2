// SPDX-License-Identifier: Apache-2.0
#pragma once

// `--measure`: how long ONNX Runtime itself takes for one image, of the network before and after.
//
// Python runs it, in a process of its own (base/child_process.h): the tool needs neither Python nor
// the runtime otherwise. The two networks run in turn, as often as kLatencySeconds allow, first on
// one thread, then on as many as the run was given; medians are told. Inputs are normal random
// numbers of an image's shape; the CPU's kernels take the same time for any.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/base/stop.h"
#include "adiabat/net/tensor.h"

namespace adiabat::pipeline {

inline constexpr double kLatencySeconds = 3;  // for each number of threads

class Runtime {
  public:
    // The interpreter that was named (`python`, else ADIABAT_PYTHON), else python3. Throws
    // InputError where one was named and cannot be started; Interrupted.
    Runtime(const std::optional<std::string>& python, const StopToken& stop);

    bool is_there() const { return reason_.empty(); }
    // "ONNX Runtime 1.32.0", or in one line why there is none.
    const std::string& version() const { return version_; }
    const std::string& reason() const { return reason_; }

    struct Task {
        std::string before, after;  // files
        net::Shape image;           // without the batch
        int threads = 0;            // 0: as many as there are cores
    };
    // {"runtime", "python", "batch", "threads": [{"threads", "runs", "before", "after"}]}, medians
    // in milliseconds; {"skipped": why} where there is no runtime, it cannot run one of them, or a
    // stop was requested.
    Json measure(const Task& task, const StopToken& stop) const;

  private:
    std::string python_, version_, reason_;
};

}  // namespace adiabat::pipeline
