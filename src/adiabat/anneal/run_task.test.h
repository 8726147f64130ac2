// SPDX-License-Identifier: Apache-2.0
#pragma once

// Runs a technique without solve(), as its own tests do.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/anneal/technique.h"

namespace adiabat::anneal {

struct TaskSettings {
    uint64_t seed = 1;
    int reads = 1, threads = 1;
    std::vector<std::vector<uint8_t>> initial = {};
    std::optional<double> time_limit = {};
    StopToken stop = {};
    std::vector<std::pair<std::string, double>> options = {};
};

inline Outcome run_task(const Technique& technique, const qubo::Problem& problem,
                        const TaskSettings& settings = {}) {
    OptionValues values(technique.options);
    for (const auto& [name, value] : settings.options) values.set(name, value);
    Watch watch(settings.stop, settings.time_limit, {}, no_progress());
    return technique.run({problem, values, settings.seed, settings.reads, settings.threads, 0,
                          settings.initial, watch});
}

}  // namespace adiabat::anneal
