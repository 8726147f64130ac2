// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/steps.h"

#include <algorithm>
#include <optional>

namespace adiabat::plan {

namespace {

// Cuts the smallest group that is left, or revives the largest that is cut. Of equal groups the
// first goes first and comes back last.
void change_one(const L1Problem& problem, Plan& plan, size_t family, bool cuts) {
    auto& cut = plan.cut[family];
    const uint8_t from = cuts ? 0 : 1;
    std::optional<size_t> chosen;
    for (size_t i = 0; i < cut.size(); ++i) {
        if (cut[i] != from) continue;
        const double mean = problem.group_mean(family, i);
        if (!chosen || (cuts ? mean < problem.group_mean(family, *chosen)
                             : mean >= problem.group_mean(family, *chosen))) {
            chosen = i;
        }
    }
    ADIABAT_CHECK(chosen, "family {} has no group left to change", family);
    cut[*chosen] = 1 - from;
}

// To the next count of groups that may stay, below or above; false where there is none.
bool change_cut(const L1Problem& problem, Plan& plan, size_t family, int by) {
    const Network& network = problem.network();
    const int64_t groups = network.groups(family), kept = groups - cut_count(plan, family);
    const int64_t step = network.group_step(family);
    int64_t wanted = kept;
    if (by > 0) {
        wanted = (kept - 1) / step * step;  // the largest multiple below
        if (wanted < allowed_kept(network, family, kLeastKept)) return false;
    } else {
        if (kept == groups) return false;
        wanted = allowed_kept(network, family, kept + 1);
    }
    for (int64_t k = kept; k > wanted; --k) change_one(problem, plan, family, true);
    for (int64_t k = kept; k < wanted; ++k) change_one(problem, plan, family, false);
    return true;
}

}  // namespace

std::vector<Step> all_steps(const Plan& plan) {
    std::vector<Step> steps;
    for (int by : {1, -1}) {
        for (size_t k = 0; k < plan.bits.size(); ++k) steps.push_back({Step::Kind::kBits, k, by});
        for (size_t f = 0; f < plan.cut.size(); ++f) steps.push_back({Step::Kind::kCut, f, by});
    }
    return steps;
}

bool take(const L1Problem& problem, Plan& plan, const Step& step) {
    if (step.kind == Step::Kind::kCut) return change_cut(problem, plan, step.index, step.by);
    const auto& widths = problem.network().widths(step.index);
    int& bits = plan.bits[step.index];
    auto at = std::lower_bound(widths.begin(), widths.end(), bits) - widths.begin();
    at += step.by;
    if (at < 0 || at >= std::ssize(widths)) return false;
    bits = widths[static_cast<size_t>(at)];
    return true;
}

void cut_smallest(const L1Problem& problem, Plan& plan) {
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        const int64_t count = cut_count(plan, g);
        std::fill(plan.cut[g].begin(), plan.cut[g].end(), uint8_t{0});
        for (int64_t k = 0; k < count; ++k) change_one(problem, plan, g, true);
    }
}

}  // namespace adiabat::plan
