// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/ranking.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "adiabat/plan/measured.h"
#include "adiabat/plan/search.h"

namespace adiabat::pipeline {

namespace {

// Multiply-accumulates of an image up to which so many candidates are usual.
constexpr int64_t kSmall = 200'000'000, kMiddling = 1'000'000'000;
// Of the largest single effect.
constexpr double kForbidding = 1e3;

class Trials {
  public:
    Trials(const RankingTask& task, const Weighed& weighed, const StopToken& stop,
           ProgressSink& progress)
        : task_(task), weighed_(weighed), stop_(stop), progress_(progress) {}

    plan::Decision decide(const plan::Hamiltonian& hamiltonian) const {
        return plan::decide(task_.subject.network(), hamiltonian, task_.budgets,
                            task_.subject.costs(), task_.deciding.search, stop_, progress_);
    }

    std::vector<Written> carry_out(std::span<const plan::Plan> plans) {
        auto done = pipeline::carry_out(task_.subject, task_.judge, plans,
                                        task_.images.sensing.pixels, stop_, progress_);
        for (size_t k = 0; k < plans.size() && is_measured(); ++k) {
            judged_.push_back({plan::energy_terms(task_.subject.network(), weighed_.effects,
                                                  plans[k], task_.deciding.interactions.shares),
                               done[k].judgement.divergence});
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

// The same energies, but for plans without some branch, which are never the lowest.
plan::Hamiltonian keeping_branches(plan::Hamiltonian hamiltonian) {
    double largest = 0;
    for (int i = 0; i < hamiltonian.problem.variables(); ++i) {
        largest = std::max(largest, std::abs(hamiltonian.problem.linear(i)));
    }
    const auto forbid = [&](auto& form) {
        for (int variable : hamiltonian.encoding.branches) {
            form.add_linear(variable, kForbidding * largest);
        }
    };
    // What is measured is one of the two.
    if (auto* dense = std::get_if<qubo::Dense>(&hamiltonian.problem.form)) forbid(*dense);
    if (auto* factored = std::get_if<qubo::Factored>(&hamiltonian.problem.form)) forbid(*factored);
    return hamiltonian;
}

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

// Between the plans, those that keep all branches: what a branch costs is known less well than what
// channels do. Where none does within the budgets there is none to add.
void add_plans_with_branches(const plan::Decision& decision, const plan::Network& network,
                             const plan::Hamiltonian& hamiltonian,
                             std::vector<plan::Found>& plans) {
    std::vector<plan::Found> both;
    for (size_t k = 0; k < std::max(plans.size(), decision.plans.size()); ++k) {
        if (k < plans.size()) both.push_back(plans[k]);
        if (k >= decision.plans.size()) continue;
        const plan::Plan& plan = decision.plans[k];
        if (plan::gone_branches(network, plan.bits).empty())
            both.push_back({plan, hamiltonian.energy(network, plan)});
    }
    plans = std::move(both);
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
        std::vector<plan::Plan> plans;
        for (const plan::Interactions& mix : mixes_around(ranking.interactions)) {
            const auto hamiltonian = plan::measured_hamiltonian(network, weighed.effects, mix);
            plans.push_back(trials.decide(hamiltonian).plan());
        }
        trials.carry_out(plans);
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
    std::vector<plan::Found> tried;
    for (size_t k = 0; k < decision.plans.size(); ++k) {
        tried.push_back({decision.plans[k], decision.energies[k]});
    }
    if (candidates > 1 && !plan::gone_branches(network, decision.plan().bits).empty()) {
        add_plans_with_branches(trials.decide(keeping_branches(weighed.hamiltonian)), network,
                                weighed.hamiltonian, tried);
    }
    const size_t count = std::clamp<size_t>(candidates, 1, tried.size());
    const size_t before = trials.judged().size();
    std::vector<plan::Plan> chosen;
    for (size_t k = 0; k < count; ++k) chosen.push_back(tried[k].plan);
    std::vector<Written> written = trials.carry_out(chosen);
    const auto divergence = [](const Written& done) { return done.judgement.divergence; };
    const auto best = static_cast<size_t>(
        std::ranges::min_element(written, std::less<>(), divergence) - written.begin());
    const double first = divergence(written.front()), least = divergence(written[best]);
    ranking.first = written.front().judgement;
    const plan::Fit meaning = plan::calibrate(trials.judged(), ranking.interactions);
    Json plans = Json::array();
    for (size_t k = 0; k < count; ++k) {
        plans.push_back({{"energy", tried[k].energy}, {"divergence", divergence(written[k])}});
        if (trials.is_measured()) {
            plans.back()["predicted"] = meaning.predicted(trials.judged()[before + k].terms);
        }
    }
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
    ranking.best = {std::move(chosen[best]), tried[best].energy, std::move(written[best].file),
                    written[best].judgement};
    return ranking;
}

}  // namespace adiabat::pipeline
