// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/steps.h"

#include <algorithm>
#include <optional>

namespace adiabat::plan {

namespace {

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
        // Of equal filters the first goes first and comes back last.
        if (!chosen || (by > 0 ? mean < problem.filter_mean(group, *chosen)
                               : mean >= problem.filter_mean(group, *chosen))) {
            chosen = i;
        }
    }
    if (!chosen) return false;
    cut[*chosen] = 1 - from;
    return true;
}

}  // namespace

std::vector<Step> all_steps(const Plan& plan) {
    std::vector<Step> steps;
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        for (int by : {1, -1}) {
            steps.push_back({Step::Kind::kBits, k, by});
            if (!plan.cut[k].empty()) steps.push_back({Step::Kind::kCut, k, by});
        }
    }
    return steps;
}

bool take(const L1Problem& problem, Plan& plan, const Step& step) {
    if (step.kind == Step::Kind::kCut) return change_cut(problem, plan, step.index, step.by);
    const int bits = plan.bits[step.index] + step.by;
    if (bits < kMinBits || bits > kMaxBits) return false;
    plan.bits[step.index] = bits;
    return true;
}

void cut_smallest(const L1Problem& problem, Plan& plan) {
    for (size_t g = 0; g < plan.cut.size(); ++g) {
        const int64_t count = cut_channels(plan, g);
        std::fill(plan.cut[g].begin(), plan.cut[g].end(), uint8_t{0});
        for (int64_t k = 0; k < count; ++k) change_cut(problem, plan, g, 1);
    }
}

}  // namespace adiabat::plan
