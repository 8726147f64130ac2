// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/simulated_annealing.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>

#include "adiabat/anneal/lowest.h"
#include "adiabat/anneal/metropolis_walk.h"
#include "adiabat/anneal/steepest_descent.h"
#include "adiabat/base/threads.h"
#include "adiabat/base/units.h"

namespace adiabat::anneal {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kMaxSweeps = std::numeric_limits<uint32_t>::max();
constexpr int kMaxReplicas = 1'000'000;
// Looking at the clock costs as much as some dozen proposals.
constexpr int64_t kProposalsBetweenPolls = 1 << 16;

void check_beta(const char* name, const std::optional<double>& beta) {
    if (beta && !(*beta > 0 && std::isfinite(*beta))) {
        throw InputError("{} is {}: expected a positive number", name, *beta);
    }
}

// What the workers share; all but the slots of `states` they work on is atomic or constant.
struct Run {
    const qubo::Dense& problem;
    const AnnealingOptions& options;
    BetaRange range;
    double tolerance;
    std::optional<Clock::time_point> deadline;
    StopToken stop;
    ProgressSink& progress;
    std::atomic<int> next_replica = 0;
    std::atomic<int64_t> sweeps = 0, flips = 0;
    std::atomic<bool> late = false, cut = false;
    std::vector<ReplicaStates> states = {};

    bool must_end() {
        if (deadline && Clock::now() >= *deadline) late = true;
        if (late || stop.requested()) cut = true;
        return cut;
    }

    void anneal(int replica, int worker) {
        const auto& given = options.initial;
        const auto id = static_cast<uint32_t>(replica);
        MetropolisWalk walk(
            problem, given.empty() ? random_start(problem.variables(), options.seed, id) : given,
            tolerance);
        const int64_t stride =
            std::max<int64_t>(1, kProposalsBetweenPolls / std::max(1, problem.variables()));
        for (int64_t sweep = 0; sweep < options.sweeps && !must_end();) {
            const int64_t end = std::min(options.sweeps, sweep + stride);
            sweeps += end - sweep;
            for (; sweep < end; ++sweep) {
                walk.sweep(beta_at(range, sweep, options.sweeps),
                           {options.seed, id, static_cast<uint32_t>(sweep)});
            }
            if (worker == 0) progress.update(static_cast<uint64_t>(sweeps.load()));
        }
        flips += walk.flips();
        states[id] = {walk.best(), walk.state()};
    }

    // Replicas begin in order, so that those that have begun are the first ones.
    void work(int worker) {
        for (;;) {
            const int replica = next_replica++;
            if (replica >= options.replicas || (replica > 0 && must_end())) return;
            anneal(replica, worker);
        }
    }
};

}  // namespace

BetaRange check_annealing_options(const qubo::Dense& problem, const AnnealingOptions& options) {
    if (options.sweeps < 1 || options.sweeps > kMaxSweeps) {
        throw InputError("sweeps is {}: expected 1 to {}", options.sweeps,
                         format_count(kMaxSweeps));
    }
    if (options.replicas < 1 || options.replicas > kMaxReplicas) {
        throw InputError("replicas is {}: expected 1 to {}", options.replicas,
                         format_count(kMaxReplicas));
    }
    if (options.keep < 1 || options.keep > kMaxKept) {
        throw InputError("keep is {}: expected 1 to {}", options.keep, format_count(kMaxKept));
    }
    if (options.time_limit_seconds && !(*options.time_limit_seconds > 0)) {
        throw InputError("time limit is {} seconds: expected more than 0",
                         *options.time_limit_seconds);
    }
    const auto& initial = options.initial;
    if (!initial.empty() && initial.size() != problem.linear().size()) {
        throw InputError("initial state has {} values: the problem has {} variables",
                         initial.size(), problem.variables());
    }
    const auto odd = std::ranges::find_if(initial, [](uint8_t value) { return value > 1; });
    if (odd != initial.end()) {
        throw InputError("initial state has {} at variable {}: expected 0 or 1", int{*odd},
                         odd - initial.begin());
    }
    check_beta("beta_min", options.beta_min);
    check_beta("beta_max", options.beta_max);
    const BetaRange natural = natural_range(problem);
    const BetaRange range{options.beta_min.value_or(natural.min),
                          options.beta_max.value_or(natural.max)};
    if (range.min > range.max) {
        throw InputError(
            "beta_min is {:.6g}{}, above beta_max {:.6g}{}: expected beta_min <= beta_max",
            range.min, options.beta_min ? "" : " (from the problem)", range.max,
            options.beta_max ? "" : " (from the problem)");
    }
    return range;
}

void collect(const qubo::Dense& problem, std::vector<ReplicaStates>&& states, int keep,
             bool complete, Annealed& result) {
    Lowest lowest(keep);
    const double tolerance = energy_tolerance(problem);
    for (auto& [best, last] : states) {
        descend(problem, best, tolerance);
        const double best_energy = problem.energy(best), last_energy = problem.energy(last);
        lowest.offer(best, best_energy);
        if (last != best) lowest.offer(last, last_energy);
        result.best.push_back({std::move(best), best_energy, 1});
        result.last.push_back({std::move(last), last_energy, 1});
    }
    result.lowest = lowest.rescored(problem, complete);
}

Annealed minimize_by_annealing(const qubo::Dense& problem, const AnnealingOptions& options,
                               StopToken stop, ProgressSink& progress) {
    std::optional<Clock::time_point> deadline;
    if (options.time_limit_seconds) {  // a century is for ever, and does not overflow
        const double seconds = std::min(*options.time_limit_seconds, 3.2e9);
        deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(seconds));
    }
    const BetaRange range = check_annealing_options(problem, options);
    Run run{problem,  options,         range,   energy_tolerance(problem),
            deadline, std::move(stop), progress};
    run.states.resize(static_cast<size_t>(options.replicas));
    progress.begin("annealing",
                   static_cast<uint64_t>(options.sweeps) * static_cast<uint64_t>(options.replicas),
                   "sweeps");
    const int workers = std::min(thread_count(options.threads), options.replicas);
    parallel_for(workers, workers, [&](int64_t, int64_t, int worker) { run.work(worker); });

    Annealed result;
    result.range = range;
    result.sweeps = run.sweeps;
    result.flips = run.flips;
    result.time_limit_reached = run.late;
    progress.update(static_cast<uint64_t>(result.sweeps));
    // A replica that was handed out after the end left its slot empty.
    if (problem.variables() > 0) {
        std::erase_if(run.states, [](const ReplicaStates& state) { return state.last.empty(); });
    }
    collect(problem, std::move(run.states), options.keep, !run.cut, result);
    return result;
}

uint64_t annealing_memory_bytes(int variables, const AnnealingOptions& options) {
    const auto n = static_cast<uint64_t>(std::max(0, variables));
    const auto replicas = static_cast<uint64_t>(std::max(0, options.replicas));
    const auto workers =
        std::min<uint64_t>(static_cast<uint64_t>(thread_count(options.threads)), replicas);
    const auto kept =
        std::min<uint64_t>(static_cast<uint64_t>(std::max(0, options.keep)), 2 * replicas);
    constexpr uint64_t kBookkeeping = 192;  // of a state: vectors, strings, tree nodes
    return workers * MetropolisWalk::memory_bytes(variables) + 2 * replicas * (n + kBookkeeping) +
           3 * kept * (n + kBookkeeping);
}

}  // namespace adiabat::anneal
