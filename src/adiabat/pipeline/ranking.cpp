// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {

namespace {

// Multiply-accumulates of an image up to which so many candidates are usual.
constexpr int64_t kSmall = 200'000'000, kMiddling = 1'000'000'000;

class Trials {
  public:
    Trials(const RankingTask& task, const Weighed& weighed, const StopToken& stop,
           ProgressSink& progress)
        : task_(task), weighed_(weighed), stop_(stop), progress_(progress) {}

    plan::Decision decide(const plan::Hamiltonian& hamiltonian) const {
        return plan::decide(task_.subject.network(), hamiltonian, task_.budgets,
                            task_.subject.costs(), task_.deciding.search, stop_, progress_);
    }

    CarriedOut carry_out(const plan::Plan& plan, double energy) {
        CarriedOut done{plan, energy, {}, {}};
        done.file = apply_plan(task_.subject, plan, task_.images.sensing.pixels, stop_, progress_);
        done.judgement = task_.judge.judge(done.file, "the plan's file", stop_, progress_);
        if (is_measured()) {
            judged_.push_back({plan::energy_terms(task_.subject.network(), weighed_.effects, plan,
                                                  task_.deciding.interactions.shares),
                               done.judgement.divergence});
        }
        return done;
    }

    bool is_measured() const { return weighed_.effects.columns() > 0; }
    const std::vector<plan::JudgedPlan>& judged() const { return judged_; }

  private:
    const RankingTask& task_;
    const Weighed& weighed_;
    StopToken stop_;
    ProgressSink& progress_;
    std::vector<plan::JudgedPlan> judged_;
};

// Mixes around one, whose plans differ in what they rely on.
std::vector<plan::Interactions> mixes_around(const plan::Interactions& at) {
    std::vector<plan::Interactions> mixes(6, at);
    mixes[1].kappa = 0;
    mixes[2].kappa = 2 * at.kappa + 0.5;
    mixes[3].tau = at.tau / 2;
    mixes[4].tau = 2 * at.tau;
    mixes[5].rho_cuts = at.rho_cuts + 0.3;
    mixes[5].rho_mixed = at.rho_mixed + 0.5;
    return mixes;
}

}  // namespace

size_t usual_candidates(const Subject& subject) {
    const int64_t macs = subject.network().costs.whole().macs;
    return macs <= kSmall ? 8 : macs <= kMiddling ? 4 : 1;
}

Ranking decide_and_rank(const RankingTask& task, Weighed& weighed, size_t candidates, bool fit,
                        StopToken stop, ProgressSink& progress) {
    Trials trials(task, weighed, stop, progress);
    Ranking ranking;
    ranking.interactions = task.deciding.interactions;
    const plan::Network& network = task.subject.network();
    Json fitted;
    if (fit && trials.is_measured()) {
        for (const plan::Interactions& mix : mixes_around(ranking.interactions)) {
            const auto hamiltonian = plan::measured_hamiltonian(network, weighed.effects, mix);
            trials.carry_out(trials.decide(hamiltonian).plan(), 0);
        }
        const plan::Fit found = plan::fit_interactions(trials.judged(), ranking.interactions);
        ranking.interactions = found.interactions;
        fitted = {{"plans", trials.judged().size()}, {"error", found.error}};
        weighed.hamiltonian =
            plan::measured_hamiltonian(network, weighed.effects, ranking.interactions);
        progress.say(
            fmt::format("fitted to {} plans: kappa {:.2f}, tau {:.2f}, rho {:.2f} (cuts), "
                        "{:.2f} (mixed), {:.2f} (widths)",
                        trials.judged().size(), found.interactions.kappa, found.interactions.tau,
                        found.interactions.rho_cuts, found.interactions.rho_mixed,
                        found.interactions.rho_widths));
    }
    ranking.decision = trials.decide(weighed.hamiltonian);
    const plan::Decision& decision = ranking.decision;
    const size_t count = std::clamp<size_t>(candidates, 1, decision.plans.size());
    std::vector<double> divergences;
    const size_t before = trials.judged().size();
    for (size_t k = 0; k < count; ++k) {
        CarriedOut done = trials.carry_out(decision.plans[k], decision.energies[k]);
        divergences.push_back(done.judgement.divergence);
        if (k == 0) ranking.first = done.judgement;
        if (k == 0 || done.judgement.divergence < ranking.best.judgement.divergence) {
            ranking.best = std::move(done);
        }
    }
    const plan::Fit meaning = plan::calibrate(trials.judged(), ranking.interactions);
    Json plans = Json::array();
    for (size_t k = 0; k < count; ++k) {
        plans.push_back({{"energy", decision.energies[k]}, {"divergence", divergences[k]}});
        if (trials.is_measured()) {
            plans.back()["predicted"] = meaning.predicted(trials.judged()[before + k].terms);
        }
    }
    const double first = divergences.front(), least = ranking.best.judgement.divergence;
    ranking.document = {{"plans", std::move(plans)}, {"gain", first > 0 ? 1 - least / first : 0.0}};
    if (trials.is_measured()) {
        ranking.document.update({{"scale", meaning.scale},
                                 {"exponent", meaning.exponent},
                                 {"correlation", meaning.correlation},
                                 {"error", meaning.error}});
        if (std::exp(meaning.error) > kFarOff) {
            progress.say(
                fmt::format("predicted and true divergences differ by a factor of {:.1f}: "
                            "more images, or --fit, would help",
                            std::exp(meaning.error)));
        }
    }
    if (!fitted.is_null()) ranking.document["fit"] = std::move(fitted);
    return ranking;
}

}  // namespace adiabat::pipeline
