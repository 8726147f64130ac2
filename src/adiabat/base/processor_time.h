// SPDX-License-Identifier: Apache-2.0
#pragma once

// Seconds that processors have worked for this process, all its threads together: what a run costs
// whatever else the machine does meanwhile.

#include <ctime>

namespace adiabat {

inline double processor_seconds() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace adiabat
