// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/feasible.h"

#include <cmath>
#include <optional>
#include <utility>

#include "adiabat/base/random.h"
#include "adiabat/plan/steps.h"

namespace adiabat::plan {

namespace {

constexpr double kHot = 0.1, kCold = 1e-4;  // temperatures, in units of the loss at the start
constexpr uint32_t kMoveStream = 0xFEA5;
constexpr int64_t kMovesBetweenStopChecks = 256;

void undo(const L1Problem& problem, Plan& plan, const std::vector<Step>& taken) {
    for (size_t k = taken.size(); k-- > 0;) {
        const bool undone = take(problem, plan, taken[k].reversed());
        ADIABAT_CHECK(undone, "step {} by {}", taken[k].index, taken[k].by);
    }
}

}  // namespace

Plan anneal_within(const L1Problem& problem, const std::vector<Budget>& budgets,
                   const CostFunctions& costs, Plan plan, int64_t moves, uint64_t seed,
                   StopToken stop) {
    cut_smallest(problem, plan);
    const std::vector<Step> steps = all_steps(plan);
    std::vector<Step> spending, saving;
    for (const Step& step : steps) (step.saves() ? saving : spending).push_back(step);
    Random random(seed, kMoveStream);
    const auto draw = [&](const std::vector<Step>& from) {
        return from[random.below(static_cast<uint32_t>(from.size()))];
    };

    double loss = problem.loss(plan);
    const double start = loss;
    Plan best = plan;
    double least = loss;
    std::vector<Step> taken;
    for (int64_t move = 0; move < moves; ++move) {
        if (move % kMovesBetweenStopChecks == 0 && stop.requested()) break;
        const double temperature =
            start * kHot *
            std::pow(kCold / kHot, static_cast<double>(move) / static_cast<double>(moves));
        taken.clear();
        const Step first = draw(steps);
        if (!take(problem, plan, first)) continue;
        taken.push_back(first);
        bool feasible = is_feasible(budgets, costs, plan);
        for (int k = 0; k < kMostSaving && !feasible; ++k) {
            const Step step = draw(saving);
            if (!take(problem, plan, step)) continue;
            taken.push_back(step);
            feasible = is_feasible(budgets, costs, plan);
        }
        for (int k = 0; k < kRefills && feasible; ++k) {
            const Step step = draw(spending);
            if (!take(problem, plan, step)) continue;
            if (is_feasible(budgets, costs, plan)) {
                taken.push_back(step);
            } else {
                undo(problem, plan, {step});
            }
        }
        const double here = problem.loss(plan);
        const double uniform = random.uniform();
        if (!feasible || (here > loss && uniform >= std::exp((loss - here) / temperature))) {
            undo(problem, plan, taken);
            continue;
        }
        loss = here;
        if (loss < least) {
            least = loss;
            best = plan;
        }
    }
    return best;
}

Plan polish(const L1Problem& problem, const std::vector<Budget>& budgets,
            const CostFunctions& costs, Plan plan, StopToken stop) {
    cut_smallest(problem, plan);
    const std::vector<Step> steps = all_steps(plan);
    double loss = problem.loss(plan);
    while (!stop.requested()) {
        // The loss is cheaper than the cost, and is looked at first.
        double least = loss - 1e-12 * std::abs(loss);
        std::optional<std::pair<size_t, std::optional<size_t>>> best;
        const auto offer = [&](size_t a, std::optional<size_t> b) {
            const double here = problem.loss(plan);
            if (here < least && is_feasible(budgets, costs, plan)) {
                least = here;
                best = {a, b};
            }
        };
        for (size_t a = 0; a < steps.size(); ++a) {
            if (!take(problem, plan, steps[a])) continue;
            offer(a, std::nullopt);
            for (size_t b = 0; b < steps.size(); ++b) {
                if (!take(problem, plan, steps[b])) continue;
                offer(a, b);
                undo(problem, plan, {steps[b]});
            }
            undo(problem, plan, {steps[a]});
        }
        if (!best) break;
        take(problem, plan, steps[best->first]);
        if (best->second) take(problem, plan, steps[*best->second]);
        loss = problem.loss(plan);
    }
    return plan;
}

}  // namespace adiabat::plan
