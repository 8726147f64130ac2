// SPDX-License-Identifier: Apache-2.0
#pragma once

// Another program, run to its end: what it prints, how it ended. No shell takes part: the arguments
// are what the program gets, whatever is in them. It stands in a process group of its own, which is
// ended whole where the time is over or a stop is requested.

#include <string>
#include <vector>

#include "adiabat/base/stop.h"

namespace adiabat {

struct ChildResult {
    enum class End { kExited, kSignal, kTimeout, kStopped, kNotStarted };
    End end = End::kExited;
    int code = 0;                // the exit code, the signal, or of kNotStarted the errno
    std::string output, errors;  // what came on the two streams, of each at most 16 MiB

    bool is_success() const { return end == End::kExited && code == 0; }
};

// arguments[0] is the program, looked for in PATH where it has no slash. Standard input is empty.
// Never throws for what the program does.
ChildResult run_child(const std::vector<std::string>& arguments, double timeout_seconds,
                      const StopToken& stop = {});

}  // namespace adiabat
