// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <optional>

#include "adiabat/plan/decide.h"

namespace adiabat::plan {

namespace {

// One step: a layer's bits, or a group's number of cut channels, by so much.
struct Step {
    enum class Kind { kBits, kCut } kind;
    size_t index;
    int by;
};

// Cuts the smallest filter that is left, or revives the largest that is cut; false where there is
// none.
bool change_cut(const L1Problem& problem, Plan& plan, size_t group, int by) {
    auto& cut = plan.cut[group];
    if (cut.empty()) return false;
    if (by > 0 && static_cast<int64_t>(cut.size()) - cut_channels(plan, group) <= kLeastKept) {
        return false;
    }
    const uint8_t from = by > 0 ? 0 : 1;
    std::optional<size_t> chosen;
    for (size_t i = 0; i < cut.size(); ++i) {
        if (cut[i] != from) continue;
        const double mean = problem.filter_mean(group, i);
        if (!chosen || (by > 0 ? mean < problem.filter_mean(group, *chosen)
                               : mean >= problem.filter_mean(group, *chosen))) {
            chosen = i;
        }
    }
    if (!chosen) return false;
    cut[*chosen] = 1 - from;
    return true;
}

bool take(const L1Problem& problem, Plan& plan, const Step& step) {
    if (step.kind == Step::Kind::kCut) return change_cut(problem, plan, step.index, step.by);
    const int bits = plan.bits[step.index] + step.by;
    if (bits < kMinBits || bits > kMaxBits) return false;
    plan.bits[step.index] = bits;
    return true;
}

void undo(const L1Problem& problem, Plan& plan, const Step& step) {
    const bool undone = take(problem, plan, {step.kind, step.index, -step.by});
    ADIABAT_CHECK(undone, "step {} by {}", step.index, step.by);
}

// In each group the smallest filters go: the same counts at the least loss.
void cut_smallest(const L1Problem& problem, Plan& plan) {
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        const int64_t count = cut_channels(plan, g);
        std::fill(plan.cut[g].begin(), plan.cut[g].end(), uint8_t{0});
        for (int64_t k = 0; k < count; ++k) change_cut(problem, plan, g, 1);
    }
}

}  // namespace

Plan polish(const L1Problem& problem, const std::vector<Budget>& budgets,
            const CostFunctions& costs, Plan plan, StopToken stop) {
    cut_smallest(problem, plan);
    std::vector<Step> steps;
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        steps.push_back({Step::Kind::kBits, k, 1});
        steps.push_back({Step::Kind::kBits, k, -1});
        if (plan.cut[k].empty()) continue;
        steps.push_back({Step::Kind::kCut, k, 1});
        steps.push_back({Step::Kind::kCut, k, -1});
    }
    double loss = problem.loss(plan);
    while (!stop.requested()) {
        // The steepest feasible descent among single steps and pairs of them. The loss is cheaper
        // than the cost, and is looked at first.
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
                undo(problem, plan, steps[b]);
            }
            undo(problem, plan, steps[a]);
        }
        if (!best) break;
        take(problem, plan, steps[best->first]);
        if (best->second) take(problem, plan, steps[*best->second]);
        loss = problem.loss(plan);
    }
    return plan;
}

}  // namespace adiabat::plan
