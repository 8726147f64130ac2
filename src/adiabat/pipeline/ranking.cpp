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

bool is_measured(const Weighed& weighed) { return weighed.effects.columns() > 0; }

// The terms and divergences of plans that were carried out; none where nothing was sensed.
std::vector<plan::JudgedPlan> judged(const RankingTask& task, const Weighed& weighed,
                                     std::span<const plan::Plan> plans,
                                     std::span<const Written> written) {
    std::vector<plan::JudgedPlan> result;
    for (size_t k = 0; k < plans.size() && is_measured(weighed); ++k) {
        result.push_back({plan::energy_terms(task.subject.network(), weighed.effects, plans[k],
                                             task.deciding.interactions.shares),
                          written[k].judgement.divergence});
    }
    return result;
}

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

Choice choose(const RankingTask& task, Weighed& weighed, size_t candidates, bool fit,
              StopToken stop, ProgressSink& progress) {
    const plan::Network& network = task.subject.network();
    const auto decide = [&](const plan::Hamiltonian& hamiltonian) {
        return plan::decide(network, hamiltonian, task.budgets, task.subject.costs(),
                            task.deciding.search, stop, progress);
    };
    Choice choice;
    choice.interactions = task.deciding.interactions;
    if (fit && is_measured(weighed)) {
        std::vector<plan::Plan> plans;
        for (const plan::Interactions& mix : mixes_around(choice.interactions)) {
            const auto hamiltonian = plan::measured_hamiltonian(network, weighed.effects, mix);
            plans.push_back(decide(hamiltonian).plan());
        }
        const auto written =
            carry_out(task.subject, task.judge, plans, task.images.sensing.pixels, stop, progress);
        choice.judged = judged(task, weighed, plans, written);
        const plan::Fit found = plan::fit_interactions(choice.judged, choice.interactions);
        choice.interactions = found.interactions;
        choice.fit = {{"plans", plans.size()}, {"error", found.error}};
        weighed.hamiltonian =
            plan::measured_hamiltonian(network, weighed.effects, choice.interactions);
        progress.say(
            fmt::format("fitted to {} plans: kappa {:.2f}, tau {:.2f}, rho {:.2f} (cuts), "
                        "{:.2f} (mixed), {:.2f} (widths)",
                        plans.size(), found.interactions.kappa, found.interactions.tau,
                        found.interactions.rho_cuts, found.interactions.rho_mixed,
                        found.interactions.rho_widths));
    }
    choice.decision = decide(weighed.hamiltonian);
    const plan::Decision& decision = choice.decision;
    std::vector<plan::Found> tried;
    for (size_t k = 0; k < decision.plans.size(); ++k) {
        tried.push_back({decision.plans[k], decision.energies[k]});
    }
    if (candidates > 1 && !plan::gone_branches(network, decision.plan().bits).empty()) {
        add_plans_with_branches(decide(keeping_branches(weighed.hamiltonian)), network,
                                weighed.hamiltonian, tried);
    }
    tried.resize(std::clamp<size_t>(candidates, 1, tried.size()));
    for (plan::Found& found : tried) {
        choice.plans.push_back(std::move(found.plan));
        choice.energies.push_back(found.energy);
    }
    return choice;
}

Ranking rank(const RankingTask& task, const Weighed& weighed, Choice choice,
             std::vector<Written> written, ProgressSink& progress) {
    const auto divergence = [](const Written& done) { return done.judgement.divergence; };
    const auto best = static_cast<size_t>(
        std::ranges::min_element(written, std::less<>(), divergence) - written.begin());
    const double first = divergence(written.front()), least = divergence(written[best]);
    Ranking ranking;
    ranking.interactions = choice.interactions;
    ranking.first = written.front().judgement;
    const auto terms = judged(task, weighed, choice.plans, written);
    choice.judged.insert(choice.judged.end(), terms.begin(), terms.end());
    const bool is_fitted = choice.judged.size() >= plan::kFewestForALine;
    const plan::Fit meaning =
        is_fitted ? plan::calibrate(choice.judged, choice.interactions) : plan::Fit{};
    Json plans = Json::array();
    for (size_t k = 0; k < choice.plans.size(); ++k) {
        plans.push_back({{"energy", choice.energies[k]}, {"divergence", divergence(written[k])}});
        if (is_fitted && !terms.empty())
            plans.back()["predicted"] = meaning.predicted(terms[k].terms);
    }
    ranking.document = {{"plans", std::move(plans)}, {"gain", first > 0 ? 1 - least / first : 0.0}};
    if (is_fitted && is_measured(weighed)) {
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
    if (!choice.fit.is_null()) ranking.document["fit"] = std::move(choice.fit);
    ranking.best = {std::move(choice.plans[best]), choice.energies[best],
                    std::move(written[best].file), written[best].judgement};
    ranking.decision = std::move(choice.decision);
    return ranking;
}

Ranking decide_and_rank(const RankingTask& task, Weighed& weighed, size_t candidates, bool fit,
                        StopToken stop, ProgressSink& progress) {
    Choice choice = choose(task, weighed, candidates, fit, stop, progress);
    auto written = carry_out(task.subject, task.judge, choice.plans, task.images.sensing.pixels,
                             stop, progress);
    return rank(task, weighed, std::move(choice), std::move(written), progress);
}

}  // namespace adiabat::pipeline
