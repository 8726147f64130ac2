// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/decide.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "adiabat/anneal/solve.h"
#include "adiabat/base/random.h"
#include "adiabat/plan/feasible.h"
#include "adiabat/plan/reachable.h"

namespace adiabat::plan {

namespace {

constexpr int kBisections = 16;
constexpr int kRaises = 40;
constexpr uint32_t kAnnealStream = 0xDEC1, kRefineStream = 0xDEC2;
constexpr size_t kRemembered = 64;

struct Candidate {
    Plan plan;
    double loss = 0;
};

// The search for one decision: anneals, and what they found that keeps the budgets.
class Search {
  public:
    Search(const L1Problem& problem, const std::vector<Budget>& budgets, const CostFunctions& costs,
           const DecideOptions& options, StopToken stop)
        : problem_(problem),
          budgets_(budgets),
          costs_(costs),
          options_(options),
          stop_(stop),
          incumbent_(uniform_plan(problem.network(), kMaxBits)) {}

    // Anneals at this price; true where the lowest sample keeps every budget.
    bool anneal(double gamma) {
        if (stop_.requested()) throw Interrupted();
        anneal::SolveOptions options;
        options.values["sweeps"] = std::to_string(options_.sweeps);
        options.reads = options_.replicas;
        options.threads = options_.threads;
        options.seed =
            derived_seed(options_.seed, kAnnealStream, static_cast<uint32_t>(decision.anneals));
        const auto found = anneal::solve({problem_.qubo(gamma, incumbent_)}, options, stop_);
        ++decision.anneals;
        decision.flips += found.flips;
        if (stop_.requested()) throw Interrupted();
        for (const anneal::Solution& solution : found.lowest)
            offer(problem_.decode(solution.x), gamma);
        incumbent_ = problem_.decode(found.lowest.front().x);
        return is_feasible(budgets_, costs_, incumbent_);
    }

    void offer(const Plan& plan, double gamma) {
        if (!is_feasible(budgets_, costs_, plan)) return;
        const double loss = problem_.loss(plan);
        if (feasible_.empty() || loss < feasible_.front().loss) decision.gamma = gamma;
        for (const Candidate& known : feasible_) {
            if (known.plan == plan) return;
        }
        const auto place = std::upper_bound(
            feasible_.begin(), feasible_.end(), loss,
            [](double value, const Candidate& candidate) { return value < candidate.loss; });
        feasible_.insert(place, {plan, loss});
        if (feasible_.size() > kRemembered) feasible_.pop_back();
    }

    const std::vector<Candidate>& feasible() const { return feasible_; }

    Decision decision;

  private:
    const L1Problem& problem_;
    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    const DecideOptions& options_;
    StopToken stop_;
    Plan incumbent_;
    std::vector<Candidate> feasible_;  // lowest loss first
};

}  // namespace

Decision decide(const L1Problem& problem, const std::vector<Budget>& budgets,
                const CostFunctions& costs, const DecideOptions& options, StopToken stop,
                ProgressSink& progress) {
    // Nothing cut and all bits kept is the least loss there is.
    Plan whole = uniform_plan(problem.network(), kMaxBits);
    if (is_feasible(budgets, costs, whole)) {
        const double loss = problem.loss(whole);
        return {.plan = std::move(whole), .loss = loss, .annealed_loss = loss};
    }
    Search search(problem, budgets, costs, options, stop);
    progress.begin("decide", 0, "anneals");
    for (const Budget& budget : budgets) {
        search.offer(reachable(problem.network(), costs, budget.quantity).smallest_plan, 0);
    }
    if (const auto plan = keeping_plan(problem.network(), costs, budgets)) search.offer(*plan, 0);

    // From a price at which nothing is worth cutting, raised fourfold until the budget is kept,
    // then bisected.
    double low = 1e-3 * std::max(problem.loss(uniform_plan(problem.network(), kMinBits)), 1e-12);
    double high = low;
    for (int k = 0; k < kRaises && !search.anneal(high); ++k) {
        low = high;
        high *= 4;
    }
    for (int k = 0; k < kBisections; ++k) {
        const double middle = std::sqrt(low * high);
        (search.anneal(middle) ? high : low) = middle;
        progress.update(static_cast<uint64_t>(search.decision.anneals));
    }

    if (search.feasible().empty()) {
        throw InputError(
            "--budget: each budget can be reached, but no plan was found that keeps them all: "
            "one of them must be larger");
    }
    Decision decision = search.decision;
    decision.annealed_loss = search.feasible().front().loss;
    decision.loss = std::numeric_limits<double>::infinity();
    const size_t count = std::min(search.feasible().size(), static_cast<size_t>(options.starts));
    progress.begin("refine", count, "plans");
    for (size_t k = 0; k < count; ++k) {
        Plan plan = anneal_within(
            problem, budgets, costs, search.feasible()[k].plan, options.moves,
            derived_seed(options.seed, kRefineStream, static_cast<uint32_t>(k)), stop);
        plan = polish(problem, budgets, costs, std::move(plan), stop);
        if (stop.requested()) throw Interrupted();
        if (const double loss = problem.loss(plan); loss < decision.loss) {
            decision.loss = loss;
            decision.plan = std::move(plan);
        }
        progress.update(k + 1);
    }
    check_plan(problem.network(), decision.plan);
    ADIABAT_CHECK(is_feasible(budgets, costs, decision.plan), "the plan breaks a budget");
    return decision;
}

}  // namespace adiabat::plan
