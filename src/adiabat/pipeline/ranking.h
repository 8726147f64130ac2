// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plans carried out and compared: what the judging images say of those that the energy likes.
//
// An annealer returns many good plans. The best different ones are applied, and the one of least
// true divergence is taken; what that gains over the plan of least energy is told. The same plans
// say what an energy means (plan/fit.h). With `fit`, plans of other mixes of interactions, at the
// same budgets, are carried out first, the interactions fitted to them, and the decision made anew.

#include <optional>
#include <vector>

#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/plan/fit.h"

namespace adiabat::pipeline {

// Predictions that are off by more than this factor are warned of.
inline constexpr double kFarOff = 2;

// What a decision gave: plans to carry out, those of least energy first.
struct Choice {
    plan::Decision decision;
    plan::Interactions interactions;
    std::vector<plan::Plan> plans;  // as many as were asked for, if there are
    std::vector<double> energies;
    // With `fit`: what was carried out to fit the interactions, and {"plans", "error"}.
    std::vector<plan::JudgedPlan> judged;
    Json fit;
};

struct CarriedOut {
    plan::Plan plan;
    double energy = 0;
    std::vector<uint8_t> file;
    Judgement judgement;
};

struct Ranking {
    CarriedOut best;
    Judgement first;          // of the plan of least energy
    plan::Decision decision;  // that the candidates come from
    plan::Interactions interactions;
    // {"plans": [{"energy", "divergence", "predicted"}], "gain": share by which the best is lower
    // than the plan of least energy, "scale", "exponent", "correlation", "error"}
    Json document;
};

struct RankingTask {
    const Subject& subject;
    const Calibration& images;
    const Judge& judge;
    const std::vector<plan::Budget>& budgets;
    const DecidingOptions& deciding;
};

// How many candidates are carried out where the user does not say: fewer for networks that take
// long.
size_t usual_candidates(const Subject& subject);

// The plans to carry out (applied.h), then what they did, in the same order. With `fit` the
// Hamiltonian of `weighed` becomes the fitted one.
Choice choose(const RankingTask& task, Weighed& weighed, size_t candidates, bool fit,
              StopToken stop, ProgressSink& progress);
Ranking rank(const RankingTask& task, const Weighed& weighed, Choice choice,
             std::vector<Written> written, ProgressSink& progress);

// All of it.
Ranking decide_and_rank(const RankingTask& task, Weighed& weighed, size_t candidates, bool fit,
                        StopToken stop, ProgressSink& progress);

}  // namespace adiabat::pipeline
