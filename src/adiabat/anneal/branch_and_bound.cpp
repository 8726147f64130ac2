// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/branch_and_bound.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "adiabat/anneal/bounds/bound.h"
#include "adiabat/anneal/bounds/convex_bound.h"
#include "adiabat/anneal/bounds/energy_unit.h"
#include "adiabat/anneal/bounds/roof_duality.h"
#include "adiabat/anneal/branch_plan.h"
#include "adiabat/anneal/branch_start.h"
#include "adiabat/anneal/branch_tree.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

constexpr std::array kOptions = {
    Option{"starts", 32, 1, 1e6, true, "tabu searches for a state to start from"},
    Option{"nodes", 1e15, 1, 1e15, true, "nodes at most"},
    Option{"gap", 0, 0, 1e300, false, "how far above the optimum the answer may be"},
};

// Beyond it the roof dual of mostly dense problems settles nothing and takes its time.
constexpr size_t kMostPairs = 100'000;

using Settled = std::vector<std::pair<int, uint8_t>>;

// Whether E is the same with all variables turned over. Exact sums alone count.
bool is_symmetric(const qubo::Dense& problem) {
    for (int i = 0; i < problem.variables(); ++i) {
        double sum = 0;
        for (const double coupling : problem.row(i)) sum += coupling;
        if (problem.linear(i) != -sum / 2) return false;
    }
    return true;
}

size_t number_of_pairs(const qubo::Dense& problem) {
    int64_t both = 0;
    for (int i = 0; i < problem.variables(); ++i)
        both += std::ranges::count_if(problem.row(i), [](double value) { return value != 0; });
    return static_cast<size_t>(both) / 2;
}

// What some optimum, where not all, has for certain; constraints would void it.
Settled settle_at_first(const Task& task, const qubo::Dense& dense, std::span<const uint8_t> best) {
    Settled settled;
    if (!task.problem.constraints.empty() || dense.variables() == 0) return settled;
    if (is_symmetric(dense)) return {{0, best[0]}};
    if (number_of_pairs(dense) > kMostPairs || task.watch.over()) return settled;
    const qubo::Sparse sparse = sparse_of(task.problem);
    const RoofDual roof = roof_dual(sparse, task.watch);
    for (int i = 0; i < dense.variables(); ++i) {
        if (const int8_t value = roof.persistent[static_cast<size_t>(i)]; value >= 0)
            settled.emplace_back(i, static_cast<uint8_t>(value));
    }
    return settled;
}

BranchLimits limits_of(const Task& task, const qubo::Dense& dense) {
    BranchLimits limits;
    const double tolerance = tolerance_of(task);
    const double unit = energy_unit(task.problem);
    limits.step = std::max({tolerance, task.options["gap"], unit > 0 ? unit * (1 - 1e-6) : 0});
    limits.nodes = static_cast<uint64_t>(task.options["nodes"]);
    // Bounds are sums of n^2 products, of n changes in size.
    const double n = dense.variables();
    limits.rounding = tolerance * 1e-4 * n * std::sqrt(n);
    return limits;
}

// The answer is known; how far below it the optimum can be is `bound`, or the best of that and
// what is known at once.
Outcome outcome_of(const Task& task, const std::vector<uint8_t>& best, double bound) {
    const double simple = lower_bound(task.problem, {.time_limit = 0}).value;
    const double unit = energy_unit(task.problem), offset = task.problem.offset();
    bound = round_up(std::max(simple, bound), offset, unit);
    if (task.problem.constraints.keeps(best)) bound = std::min(bound, task.problem.energy(best));
    Outcome outcome;
    outcome.reads.assign(static_cast<size_t>(task.reads), {best, best});
    outcome.bound = bound;
    outcome.details["complete"] = false;
    return outcome;
}

Outcome search(const Task& task, const qubo::Dense& dense, const BranchPlan& plan,
               const Settled& settled, const std::vector<uint8_t>& start) {
    const auto rows = interval_rows(task.problem.constraints);
    BranchTree tree(task.problem, dense, plan, rows, limits_of(task, dense), task.watch);
    const bool feasible = task.problem.constraints.keeps(start);
    tree.set_best(start, feasible ? task.problem.energy(start) : kInfinity);
    for (const auto& [variable, value] : settled) tree.settle(variable, value);
    tree.run();

    const double best = tree.best_energy(), gap = task.options["gap"];
    const double proven = tree.complete() ? best - gap : tree.open_bound();
    Outcome outcome = outcome_of(task, tree.best(), std::min(best, std::max(plan.bound, proven)));
    outcome.proposals = static_cast<int64_t>(tree.nodes());
    outcome.details["complete"] = tree.complete();
    outcome.details["nodes"] = tree.nodes();
    outcome.details["blocks"] = tree.blocks();
    outcome.details["root bound"] = plan.bound;
    outcome.details["settled at first"] = settled.size();
    return outcome;
}

Outcome run(const Task& task) {
    const int n = task.problem.variables();
    if (n > kMaxBranchVariables)
        throw InputError("branch and bound takes at most {} variables, this problem has {}",
                         kMaxBranchVariables, n);
    const auto rows = interval_rows(task.problem.constraints);
    task.watch.begin("branch and bound", 0, "nodes");
    const std::vector<uint8_t> start =
        good_state(task, rows, static_cast<int>(task.options.whole("starts")));
    if (task.watch.over()) return outcome_of(task, start, -kInfinity);
    const qubo::Dense dense = dense_of(task.problem);
    const Settled settled = settle_at_first(task, dense, start);
    if (task.watch.over()) return outcome_of(task, start, -kInfinity);
    const BranchPlan plan =
        plan_branching({dense, rows, task.problem.constraints.groups, start, settled,
                        BranchTree::tail_of(static_cast<size_t>(n)), task.seed},
                       task.watch);
    if (task.watch.over()) return outcome_of(task, start, plan.bound);
    return search(task, dense, plan, settled, start);
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto& constraints = task.problem.constraints;
    const uint64_t rows =
        constraints.budgets.size() + constraints.groups.size() + constraints.fixed.size();
    return BranchTree::memory_bytes(n, rows) + convex_bound_bytes(static_cast<int>(n)) +
           (constraints.empty() ? roof_dual_bytes(static_cast<int>(n), n * n / 2) : 0);
}

}  // namespace

const Technique kBranchAndBound = {
    .name = "branch-and-bound",
    .title = "Branch and bound",
    .idea =
        "Settles one variable after another and leaves out whatever a convex lower bound shows "
        "to hold nothing better than the best known state. The answer is proven optimal, or "
        "after a time limit comes with a bound. One thread.",
    .source = "Land and Doig, 1960; Billionnet and Elloumi, 2007",
    .options = kOptions,
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = kMaxBranchVariables,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
