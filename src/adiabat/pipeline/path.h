// SPDX-License-Identifier: Apache-2.0
#pragma once

// The path: deep budgets approached in steps. After each the effects are sensed anew around the
// plan that was found (sense/incumbent.h), always against the original outputs; what was cut may
// come back. The last step decides among candidates as a run without a path does.
//
// Step t of n allows, of each quantity, start (target / start)^(t / n), start being the network
// uncut at its widest. Of each step the growth of the energy that was predicted before it is set
// against that of the divergence on the judging images: tempered as effects are, to second order
// half the energy over the square of the temperature.

#include "adiabat/pipeline/ranking.h"

namespace adiabat::pipeline {

struct PathResult {
    Ranking ranking;  // of the last step
    // {"steps": [{"budgets", "energy", "divergence", "tempered", "predicted_growth",
    // "true_growth", "cut", "came_back", "changed_widths"}], "sensing": of the last, "around":
    // {"plan" ..} that it was around (plan_file.h)}
    Json document;
};

// `weighed` comes with effects of the network as it is, and leaves with those around the plan
// before the last. steps >= 2.
PathResult follow_path(const RankingTask& task, Weighed& weighed, int steps, size_t candidates,
                       bool fit, StopToken stop, ProgressSink& progress);

}  // namespace adiabat::pipeline
