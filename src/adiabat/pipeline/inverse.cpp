// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/inverse.h"

#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "adiabat/base/units.h"
#include "adiabat/plan/reachable.h"

namespace adiabat::pipeline {

namespace {

double drop_of(const Judgement& judgement) {
    return 100 * (judgement.top1_before - judgement.top1_after);
}

}  // namespace

bool LossLimit::allows(const Judgement& judgement) const {
    if (max_divergence && judgement.divergence > *max_divergence) return false;
    return !max_drop || drop_of(judgement) <= *max_drop;
}

SmallestWithin smallest_within(const RankingTask& task, Weighed& weighed, const LossLimit& limit,
                               plan::Quantity quantity, StopToken stop, ProgressSink& progress) {
    const plan::Network& network = task.subject.network();
    const plan::Reachable range = plan::reachable(network, task.subject.costs(), quantity);
    SmallestWithin result;
    Json tried = Json::array();
    const auto name = plan::name_of(quantity);
    // Whether the loss is allowed at this limit of the quantity.
    const auto attempt = [&](int64_t at) {
        std::vector<plan::Budget> budgets = task.budgets;
        budgets.push_back({quantity, at});
        const RankingTask here{task.subject, task.images, task.judge, budgets, task.deciding};
        Ranking ranking = decide_and_rank(here, weighed, 1, false, stop, progress);
        const Judgement& judgement = ranking.best.judgement;
        if (limit.max_drop && !judgement.has_labels) {
            throw InputError(
                "--max-drop: the network's outputs are no scores of classes: expected --max-kl");
        }
        tried.push_back({{"limit", at}, {"divergence", judgement.divergence}});
        if (judgement.has_labels) tried.back()["drop"] = drop_of(judgement);
        progress.say(
            fmt::format("{}={}: divergence {:.5f}", name, format_count(at), judgement.divergence));
        const bool is_allowed = limit.allows(judgement);
        const bool is_better = result.document.is_null() || at <= result.budget.limit;
        if (is_allowed && is_better) {
            result.ranking = std::move(ranking);
            result.budget = {quantity, at};
            result.document = {{"quantity", name}};
        }
        return is_allowed;
    };
    int64_t low = range.smallest, high = std::max(range.largest, range.smallest);
    if (!attempt(high)) {
        const Json& largest = tried.back();
        throw InputError(
            "{}: the largest plan already loses more than is allowed, {}: expected a larger limit",
            limit.max_divergence ? "--max-kl" : "--max-drop",
            limit.max_divergence
                ? fmt::format("a divergence of {:.3g}", largest["divergence"].get<double>())
                : fmt::format("{:.2f} points of top-1", largest["drop"].get<double>()));
    }
    while (static_cast<double>(high) > (1 + kFine) * static_cast<double>(low) && high > low + 1) {
        const auto middle =
            static_cast<int64_t>(std::sqrt(static_cast<double>(low) * static_cast<double>(high)));
        (attempt(middle) ? high : low) = middle;
    }
    result.document["max_kl"] = limit.max_divergence ? Json(*limit.max_divergence) : Json(nullptr);
    result.document["max_drop"] = limit.max_drop ? Json(*limit.max_drop) : Json(nullptr);
    result.document["limit"] = result.budget.limit;
    result.document["tried"] = std::move(tried);
    return result;
}

}  // namespace adiabat::pipeline
