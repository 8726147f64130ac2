// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/path.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"
#include "adiabat/pipeline/plan_file.h"
#include "adiabat/plan/measured.h"
#include "adiabat/sense/directions.h"

namespace adiabat::pipeline {

namespace {

// What a plan is foretold to do: a tempered divergence, or of what has no classes a squared error.
// Its energy, of `measured` with the widths counting for kForetoldTau instead of tau.
double foretold(const RankingTask& task, const Weighed& weighed, const plan::Plan& plan) {
    const plan::Network& network = task.subject.network();
    double energy = weighed.hamiltonian.energy(network, plan);
    if (task.deciding.hamiltonian == HamiltonianKind::kMeasured) {
        const plan::Interactions& mix = task.deciding.interactions;
        const auto terms = plan::energy_terms(network, weighed.effects, plan, mix.shares);
        energy += (plan::kForetoldTau - mix.tau) * terms.single_widths;
    }
    const double t = task.deciding.sensing.temperature;
    return weighed.effects.are_scores ? energy / (2 * t * t) : energy;
}

// Whether the network keeps the budgets uncut at its widest.
bool keeps_all(const RankingTask& task) {
    return plan::is_feasible(task.budgets, task.subject.costs(),
                             plan::uniform_plan(task.subject.network(), plan::kMaxBits));
}

class Path {
  public:
    Path(const RankingTask& task, Weighed& weighed, int steps, const StopToken& stop,
         ProgressSink& progress)
        : task_(task), weighed_(weighed), steps_(steps), stop_(stop), progress_(progress) {
        const plan::Network& network = task.subject.network();
        now_ = plan::uniform_plan(network, plan::kMaxBits);
        for (const plan::Budget& budget : task.budgets)
            starts_.push_back(task.subject.costs().cost(budget.quantity, now_));
        judgement_ = judge(apply(now_));
    }

    PathResult follow(size_t candidates) {
        PathResult result;
        for (int step = 1; step <= steps_; ++step) {
            const auto budgets = budgets_of(step);
            const RankingTask here{task_.subject, task_.images, task_.judge, budgets,
                                   task_.deciding};
            const bool is_last = step == steps_;
            Ranking ranking =
                decide_and_rank(here, weighed_, is_last ? candidates : 1, false, stop_, progress_);
            note(budgets, ranking);
            if (is_last) {
                result.ranking = std::move(ranking);
            } else {
                sense_anew();
            }
        }
        result.document = {{"steps", std::move(documents_)},
                           {"sensing", weighed_.sensing},
                           {"around", std::move(around_)}};
        return result;
    }

  private:
    std::vector<plan::Budget> budgets_of(int step) const {
        std::vector<plan::Budget> budgets = task_.budgets;
        for (size_t k = 0; k < budgets.size(); ++k) {
            const auto start = static_cast<double>(starts_[k]);
            const auto target = static_cast<double>(budgets[k].limit);
            if (step == steps_ || start <= target) continue;
            budgets[k].limit = static_cast<int64_t>(
                std::ceil(start * std::pow(target / start, static_cast<double>(step) / steps_)));
        }
        return budgets;
    }

    std::vector<uint8_t> apply(const plan::Plan& plan) const {
        return apply_plan(task_.subject, plan, task_.images.sensing.pixels, stop_, progress_);
    }
    Judgement judge(const std::vector<uint8_t>& file) const {
        return task_.judge.judge(file, "the plan's file", stop_, progress_);
    }

    // What a step did; `now_` becomes the plan of least energy, which the next is sensed around.
    void note(const std::vector<plan::Budget>& budgets, const Ranking& ranking) {
        const plan::Network& network = task_.subject.network();
        const plan::Plan& next = ranking.decision.plan();
        const Judgement& found = ranking.first;
        const auto was = plan::cut_flags(network, now_), is = plan::cut_flags(network, next);
        int64_t came_back = 0, widths = 0;
        for (size_t g = 0; g < is.size(); ++g) came_back += was[g] && !is[g];
        for (size_t k = 0; k < next.bits.size(); ++k) widths += next.bits[k] != now_.bits[k];
        Json limits = Json::array();
        for (const plan::Budget& budget : budgets)
            limits.push_back(
                {{"quantity", plan::name_of(budget.quantity)}, {"limit", budget.limit}});
        const double predicted = foretold(task_, weighed_, next) - foretold(task_, weighed_, now_);
        const double grown = found.tempered - judgement_.tempered;
        documents_.push_back({{"budgets", std::move(limits)},
                              {"energy", ranking.decision.energy()},
                              {"divergence", found.divergence},
                              {"tempered", found.tempered},
                              {"predicted_growth", predicted},
                              {"true_growth", grown},
                              {"cut", std::count(is.begin(), is.end(), 1)},
                              {"came_back", came_back},
                              {"changed_widths", widths}});
        progress_.say(fmt::format(
            "step {} of {}: divergence {:.5f}; grown by {:.3g}, {:.3g} predicted; {} channel "
            "groups cut, {} came back",
            documents_.size(), steps_, found.divergence, grown, predicted,
            documents_.back()["cut"].get<int64_t>(), came_back));
        if (grown > kFarOff * predicted || predicted > kFarOff * grown) {
            progress_.say("that is more than twice off: more images, or more steps, would help");
        }
        judgement_ = found;
        now_ = next;
    }

    void sense_anew() {
        Sensed sensed = sense_effects(task_.subject, task_.images, task_.deciding.sensing, stop_,
                                      progress_, &now_);
        around_ = Json::object();
        add_plan(around_, task_.subject.graph(), task_.subject.network(), now_);
        weighed_.effects = std::move(sensed.effects);
        weighed_.sensing = std::move(sensed.document);
        weighed_.hamiltonian = hamiltonian_of(task_.subject, weighed_.effects, task_.deciding);
    }

    const RankingTask& task_;
    Weighed& weighed_;
    int steps_;
    StopToken stop_;
    ProgressSink& progress_;
    std::vector<int64_t> starts_;  // of each budget's quantity
    plan::Plan now_;
    Judgement judgement_;  // of it
    Json documents_ = Json::array(), around_;
};

}  // namespace

int steps_for(double predicted, double found) {
    if (!(predicted > 0) || !(found > 0)) return 1;
    const double off = std::abs(std::log(found / predicted)) / std::log(kSteady);
    return std::clamp(static_cast<int>(std::ceil(off)), 1, kMostSteps);
}

PathResult follow_path(const RankingTask& task, Weighed& weighed, int steps, size_t candidates,
                       StopToken stop, ProgressSink& progress) {
    if (const auto outputs = sense::sensed_outputs(task.subject.graph()).size();
        steps == 0 && outputs > 1) {
        throw InputError(
            "--steps 0: the network has {} outputs, and divergences are of the first alone: "
            "expected a number of steps",
            outputs);
    }
    ADIABAT_CHECK(steps != 1 && weighed.effects.columns() > 0, "no path of {} steps", steps);
    if (keeps_all(task)) {
        progress.say("the network keeps its budgets uncut: one step");
        return {decide_and_rank(task, weighed, candidates, false, stop, progress), {}};
    }
    if (steps > 1) return Path(task, weighed, steps, stop, progress).follow(candidates);
    PathResult one{decide_and_rank(task, weighed, candidates, false, stop, progress), {}};
    const double predicted = foretold(task, weighed, one.ranking.decision.plan());
    const double found = one.ranking.first.tempered;
    const int chosen = steps_for(predicted, found);
    progress.say(fmt::format("one step: tempered divergence {:.3g}, {:.3g} predicted: {}", found,
                             predicted,
                             chosen > 1 ? fmt::format("{} steps", chosen) : "no more steps"));
    if (chosen == 1) return one;
    Weighed along = weighed;
    PathResult path = Path(task, along, chosen, stop, progress).follow(candidates);
    if (one.ranking.best.judgement.divergence <= path.ranking.best.judgement.divergence) {
        progress.say("one step was better");
        return one;
    }
    weighed = std::move(along);
    path.document["one_step"] = {{"predicted", predicted}, {"found", found}};
    return path;
}

}  // namespace adiabat::pipeline
