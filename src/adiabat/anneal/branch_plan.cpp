// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/branch_plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/anneal/bounds/convex_bound.h"
#include "adiabat/anneal/bounds/mixing.h"
#include "adiabat/anneal/bounds/positive_shift.h"

namespace adiabat::anneal {

namespace {

constexpr int kSweepsAtFirst = 300, kSweepsAtADepth = 60;
constexpr double kPrecision = 1e-6;
constexpr double kMostSeconds = 10;  // for all depths
constexpr double kShareOfRelaxation = 0.5;

class Planner {
  public:
    Planner(const BranchPlanInput& input, const Watch& watch) : input_(input), watch_(watch) {
        // Without a certificate the relaxation is worth nothing: it gets its share of the time.
        const ConvexOptions options{.seconds = kShareOfRelaxation * watch.seconds_left(),
                                    .seed = input.seed,
                                    .groups = input.groups};
        const ConvexBound root = convex_bound(input.problem, input.rows, options, watch);
        const size_t n = root.x.size();
        plan_.order.resize(n);
        std::iota(plan_.order.begin(), plan_.order.end(), 0);
        plan_.couplings.reserve(n * n);
        for (int i = 0; i < root.relaxed.variables(); ++i) {
            const auto row = root.relaxed.row(i);
            plan_.couplings.insert(plan_.couplings.end(), row.begin(), row.end());
        }
        plan_.linear.assign(root.relaxed.linear().begin(), root.relaxed.linear().end());
        plan_.offset = root.relaxed.offset();
        plan_.shifts.push_back(root.shift);
        plan_.start = root.x;
        plan_.bound = root.value;
        fields_ = plan_.linear;
    }

    BranchPlan make() {
        const size_t n = plan_.size(), depths = n - std::min(n, input_.tail);
        if (depths == 0 || watch_.over()) return std::move(plan_);
        const Watch limit({}, kMostSeconds, {}, no_progress());
        Mixing mixing(plan_.rest(0), fields_, input_.seed);
        mixing.run(kSweepsAtFirst, kPrecision, watch_);
        bool current = true;  // whether `mixing` has followed the order so far
        for (size_t depth = 0; depth < depths; ++depth) {
            const size_t next = choose(depth, current ? &mixing : nullptr);
            settle(depth, next);
            std::vector<double> shift(plan_.shifts[depth].begin() + 1, plan_.shifts[depth].end());
            current = current && !watch_.over() && !limit.over();
            if (current && depth + 1 < n) {
                mixing.drop(static_cast<int>(next - depth));
                const std::span<const double> left = std::span(fields_).subspan(depth + 1);
                mixing.set_terms(plan_.rest(depth + 1), left);
                mixing.run(kSweepsAtADepth, kPrecision, watch_);
                shift = better(depth + 1, mixing.shift(), shift);
            }
            plan_.shifts.push_back(std::move(shift));
        }
        return std::move(plan_);
    }

  private:
    // The position, `depth` or behind, whose variable is settled next.
    size_t choose(size_t depth, const Mixing* mixing) const {
        const size_t n = plan_.size();
        if (depth < input_.settled.size()) {
            const auto at = std::ranges::find(plan_.order, input_.settled[depth].first);
            return static_cast<size_t>(at - plan_.order.begin());
        }
        size_t best = depth;
        double highest = -1;
        for (size_t p = depth; p < n; ++p) {
            const double mean =
                mixing ? std::clamp(mixing->mean(static_cast<int>(p - depth)), 0.02, 0.98) : 0.5;
            const double gap = plan_.shifts[depth][p - depth] * mean * (1 - mean);
            if (gap <= highest) continue;
            highest = gap;
            best = p;
        }
        return best;
    }

    // Puts what is at position `next` to position `depth`, with its value in the best state.
    void settle(size_t depth, size_t next) {
        const size_t n = plan_.size();
        if (next != depth) {
            auto& j = plan_.couplings;
            for (size_t k = 0; k < n; ++k) std::swap(j[depth * n + k], j[next * n + k]);
            for (size_t k = 0; k < n; ++k) std::swap(j[k * n + depth], j[k * n + next]);
            std::swap(plan_.order[depth], plan_.order[next]);
            std::swap(plan_.linear[depth], plan_.linear[next]);
            std::swap(plan_.start[depth], plan_.start[next]);
            std::swap(fields_[depth], fields_[next]);
            for (size_t d = 0; d <= depth; ++d)
                std::swap(plan_.shifts[d][depth - d], plan_.shifts[d][next - d]);
        }
        if (!input_.best[static_cast<size_t>(plan_.order[depth])]) return;
        for (size_t k = depth + 1; k < n; ++k) fields_[k] += plan_.couplings[depth * n + k];
    }

    // The new shift made certain, unless the certificate had to fall back to a larger one.
    std::vector<double> better(size_t depth, std::vector<double> found,
                               const std::vector<double>& inherited) const {
        auto enough = enough_diagonal(plan_.rest(depth), std::move(found), watch_);
        const auto sum = [](const std::vector<double>& u) {
            return std::accumulate(u.begin(), u.end(), 0.0);
        };
        // A shift for other linear terms may be smaller in all, yet worse for these; only one that
        // is much larger tells of a fallback.
        return sum(enough) <= 1.5 * sum(inherited) ? enough : inherited;
    }

    const BranchPlanInput& input_;
    const Watch& watch_;
    BranchPlan plan_;
    std::vector<double> fields_;  // with what is settled as in the best state
};

}  // namespace

BranchPlan plan_branching(const BranchPlanInput& input, const Watch& watch) {
    return Planner(input, watch).make();
}

}  // namespace adiabat::anneal
