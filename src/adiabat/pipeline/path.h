// SPDX-License-Identifier: Apache-2.0
#pragma once

// The path: deep budgets approached in steps. After each the effects are sensed anew around the
// plan that was found (sense/incumbent.h), always against the original outputs; what was cut may
// come back. The last step decides among candidates as a run without a path does.
//
// Step t of n allows, of each quantity, start (target / start)^(t / n), start being the network
// uncut at its widest. Of each step the growth that was predicted before it is set against that of
// the divergence on the judging images: tempered as effects are, to second order half the energy
// over the square of the temperature; of `measured` the energy with plan::kForetoldTau in the place
// of tau, which decides.
//
// How many steps: where one step's plan loses about what was predicted there is nothing to gain
// from more; else so many that each is off by kSteady, if errors grow evenly. The better of the two
// on the judging images is then taken. Cost: a sensing and a plan carried out for each step.
//
// Source: pruning in steps with effects measured anew, P. Molchanov et al., "Pruning convolutional
// neural networks for resource efficient inference" (ICLR 2017); what comes back is ours.

#include "adiabat/pipeline/ranking.h"

namespace adiabat::pipeline {

inline constexpr double kSteady = 1.5;
inline constexpr int kMostSteps = 8;

// 1 to kMostSteps, from what the divergence of the plan of one step was predicted and found to be.
int steps_for(double predicted, double found);

struct PathResult {
    Ranking ranking;  // of the last step
    // {"steps": [{"budgets", "energy", "divergence", "tempered", "predicted_growth",
    // "true_growth", "cut", "came_back", "changed_widths"}], "sensing": of the last, "around":
    // {"plan" ..} that it was around (plan_file.h), "one_step": {"predicted", "found"} tempered,
    // where the number was chosen}. Null where one step was enough or better.
    Json document;
};

// `weighed` comes with effects of the network as it is, and leaves with those around the plan
// before the last, where the path is taken. steps: 0 to choose, else 2 or more.
PathResult follow_path(const RankingTask& task, Weighed& weighed, int steps, size_t candidates,
                       StopToken stop, ProgressSink& progress);

}  // namespace adiabat::pipeline
