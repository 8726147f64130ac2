// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/solve.h"

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/collect.h"
#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/penalty.h"
#include "adiabat/anneal/reduce.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/huge_pages.h"
#include "adiabat/base/random.h"
#include "adiabat/base/threads.h"
#include "adiabat/base/units.h"

namespace adiabat::anneal {

namespace {

constexpr int kMostReads = 1'000'000, kMostThreads = 4096, kMostKept = 1'000'000;
constexpr uint32_t kFeasibleStream = 0x5A07;
// What the report at the end may take is kept back from a time limit, up to this share of it.
constexpr double kMostReserve = 0.5;
constexpr int kMostTimedWhole = 4000, kTimedPart = 4;

void check(int64_t value, int64_t least, int64_t most, const char* what) {
    if (value < least || value > most)
        throw InputError("{} is {}: expected {} to {}", what, value, least, format_count(most));
}

void check(const qubo::Problem& problem, const SolveOptions& options) {
    check(options.reads, 1, kMostReads, "reads");
    check(options.threads, 0, kMostThreads, "threads");
    check(options.keep, 1, kMostKept, "keep");
    check(options.restarts, 0, std::numeric_limits<int32_t>::max(), "restarts");
    if (options.restarts == 0 && !options.time_limit && !options.target)
        throw InputError(
            "restarts is 0: until a limit, so expected a time limit or a target energy");
    if (options.time_limit && !(*options.time_limit >= 0))
        throw InputError("the time limit is {}: expected 0 or more seconds", *options.time_limit);
    if (options.target && std::isnan(*options.target))
        throw InputError("the target energy is not a number");
    if (options.penalty && !(*options.penalty > 0 && std::isfinite(*options.penalty)))
        throw InputError("the penalty is {}: expected a number above 0", *options.penalty);
    for (const auto& x : options.initial) {
        if (static_cast<int>(x.size()) != problem.variables())
            throw InputError("an initial state has {} values: expected {}", x.size(),
                             problem.variables());
        if (std::ranges::any_of(x, [](uint8_t value) { return value > 1; }))
            throw InputError("an initial state holds {}: expected 0 and 1",
                             *std::ranges::max_element(x));
    }
    problem.constraints.check(problem.variables());
    if (!problem.names.empty() && static_cast<int>(problem.names.size()) != problem.variables())
        throw InputError("there are {} names for {} variables", problem.names.size(),
                         problem.variables());
}

// One call of solve().
class Solver {
  public:
    Solver(const qubo::Problem& problem, const SolveOptions& options, StopToken stop,
           ProgressSink& progress)
        : given_(problem),
          options_(options),
          stop_(stop),
          progress_(progress),
          start_(Watch::Clock::now()),
          technique_(technique(options.technique)),
          values_(technique_.options),
          reduction_(problem) {
        for (const auto& [name, value] : options.values) values_.set(name, value);
        if (!reduction_.problem().constraints.empty()) refuse_or_penalize();
        threads_ = thread_count(options.threads);
        result_.options = values_.json();
    }

    SolveResult run() {
        const qubo::Problem& inner = reduction_.problem();
        if (inner.variables() == 0) return nothing_to_decide();
        const std::optional<double> limit = reserve_for_the_report();
        Watch watch(stop_, limit, options_.target, progress_, start_);
        make_starts();
        check_size(watch);
        const double tolerance = energy_tolerance(inner, &watch);
        if (reduction_.is_trivial()) result_.tolerance = tolerance;
        tolerance_ = penalized_ ? energy_tolerance(*penalized_, &watch) : tolerance;
        for (int round = 0; options_.restarts == 0 || round < options_.restarts; ++round) {
            if (round > 0 && watch.over()) break;
            play(round, tolerance, watch);
            ++result_.rounds;
            if (result_.bound && proven()) break;
        }
        finish(watch);
        return std::move(result_);
    }

  private:
    const qubo::Problem& working() const { return penalized_ ? *penalized_ : reduction_.problem(); }

    void refuse_or_penalize() {
        const qubo::Constraints& constraints = reduction_.problem().constraints;
        const auto refuse = [&](const char* what) {
            std::string others;
            for (const Technique* const other : techniques()) {
                const Keeps keeps =
                    std::string_view(what) == "budgets" ? other->budgets : other->groups;
                if (keeps != Keeps::kNot)
                    others += (others.empty() ? "" : ", ") + std::string(other->name);
            }
            throw InputError("{} does not take {}: expected one of {}", technique_.name, what,
                             others);
        };
        if (!constraints.budgets.empty() && technique_.budgets == Keeps::kNot) refuse("budgets");
        if (!constraints.groups.empty() && technique_.groups == Keeps::kNot) refuse("groups");
        const bool budgets =
            technique_.budgets == Keeps::kByPenalty && !constraints.budgets.empty();
        const bool groups = technique_.groups == Keeps::kByPenalty && !constraints.groups.empty();
        if (budgets || groups)
            penalized_ = with_penalties(reduction_.problem(), budgets, groups, options_.penalty);
    }

    // Energies of large dense problems take long to recompute; this is timed once, so that the
    // report fits inside the limit.
    std::optional<double> reserve_for_the_report() const {
        if (!options_.time_limit) return {};
        const auto before = Watch::Clock::now();
        // A dense energy is the square of its part's: the part is timed where the whole takes long.
        const bool part = std::holds_alternative<qubo::Dense>(given_.form) &&
                          given_.variables() > kMostTimedWhole;
        std::vector<uint8_t> halves(static_cast<size_t>(given_.variables()));
        for (size_t i = 0; i < halves.size() / (part ? kTimedPart : 1); i += 2) halves[i] = 1;
        const double energy = given_.energy(halves);
        ADIABAT_CHECK(!std::isnan(energy), "an energy that is not a number");
        const double once = std::chrono::duration<double>(Watch::Clock::now() - before).count() *
                            (part ? kTimedPart * kTimedPart : 1);
        return *options_.time_limit - std::min(2 * once, kMostReserve * *options_.time_limit);
    }

    SolveResult nothing_to_decide() {
        auto x = reduction_.extended({});
        if (const auto broken = given_.constraints.broken(x))
            throw InputError("the fixed variables leave nothing to decide and break {}", *broken);
        const double energy = given_.energy(x);
        const Solution only{std::move(x), energy, 1};
        result_.best.assign(static_cast<size_t>(options_.reads), only);
        result_.last = result_.best;
        result_.lowest.all = {only};
        result_.lowest.all.front().multiplicity = options_.reads;
        result_.bound = energy;
        result_.rounds = 1;
        result_.details = {{"nothing_to_decide", true}};
        return std::move(result_);
    }

    // Starts that were given, mended; random ones where there are constraints.
    void make_starts() {
        const qubo::Problem& inner = reduction_.problem();
        std::vector<std::vector<uint8_t>> starts;
        for (const auto& x : options_.initial) starts.push_back(reduction_.reduced(x));
        if (starts.empty() && !inner.constraints.empty()) {
            Random random(options_.seed, kFeasibleStream);
            const int count = std::min(options_.reads, 64);
            for (int k = 0; k < count; ++k) {
                auto& x = starts.emplace_back(static_cast<size_t>(inner.variables()));
                for (auto& value : x) value = static_cast<uint8_t>(random() >> 31);
            }
        }
        for (size_t k = 0; k < starts.size(); ++k) {
            auto mended =
                repaired(inner, starts[k],
                         derived_seed(options_.seed, kFeasibleStream, static_cast<uint32_t>(k)));
            if (mended) {
                mended->resize(static_cast<size_t>(working().variables()), 0);  // slack
                initial_.push_back(std::move(*mended));
            }
        }
        if (!starts.empty() && initial_.empty())
            throw InputError(
                "no assignment was found that keeps the constraints: of the nearest one "
                "{}; looser ones, or an initial state that keeps them, would do",
                *inner.constraints.broken(starts.front()));
    }

    Task task(int round, Watch& watch) const {
        return {working(),      values_,  options_.seed,
                options_.reads, threads_, static_cast<uint32_t>(int64_t{round} * options_.reads),
                initial_,       watch,    tolerance_};
    }

    void check_size(Watch& watch) {
        if (working().variables() > technique_.most_variables)
            throw InputError("{} takes {} variables at most: here are {}", technique_.name,
                             format_count(technique_.most_variables),
                             format_count(working().variables()));
        result_.memory_bytes =
            technique_.memory_bytes(task(0, watch)) +
            2 * static_cast<uint64_t>(options_.reads) * static_cast<uint64_t>(given_.variables());
        const uint64_t limit = options_.memory_limit.value_or(machine_memory());
        const uint64_t problem = given_.memory_bytes();
        if (result_.memory_bytes + problem > limit)
            throw InputError("{} needs {} beside the problem's {}: there are {}", technique_.name,
                             format_bytes(static_cast<int64_t>(result_.memory_bytes)),
                             format_bytes(static_cast<int64_t>(given_.memory_bytes())),
                             format_bytes(static_cast<int64_t>(limit)));
    }

    void play(int round, double tolerance, Watch& watch) {
        Outcome outcome = technique_.run(task(round, watch));
        ADIABAT_CHECK(!outcome.reads.empty(), "{} returned no read", technique_.name);
        CollectOptions how{options_.seed, threads_, options_.polish, tolerance};
        Collected found = collect(given_, reduction_, outcome.reads, how, watch);
        for (const Solution& solution : found.best) watch.offer(solution.energy);
        std::ranges::move(found.best, std::back_inserter(collected_.best));
        std::ranges::move(found.last, std::back_inserter(collected_.last));
        collected_.dropped += found.dropped;
        result_.sweeps += outcome.sweeps;
        result_.proposals += outcome.proposals;
        result_.flips += outcome.flips;
        if (outcome.bound && !penalized_)
            result_.bound = std::max(result_.bound.value_or(-INFINITY), *outcome.bound);
        result_.details = std::move(outcome.details);
    }

    // Whether the bound is met: a proof up to rounding.
    bool proven() const {
        double lowest = std::numeric_limits<double>::infinity();
        for (const Solution& solution : collected_.best) lowest = std::min(lowest, solution.energy);
        return lowest - *result_.bound <= 1e-9 * (1 + std::abs(lowest));
    }

    void finish(const Watch& watch) {
        if (collected_.best.empty())
            throw InputError(
                "no read ended in an assignment that keeps the constraints, nor near one: "
                "expected a larger penalty, or a technique that keeps them natively");
        result_.end = watch.reason();
        result_.lowest = aggregated(collected_, options_.keep, result_.end == EndReason::kFinished);
        result_.best = std::move(collected_.best);
        result_.last = std::move(collected_.last);
        result_.details["reads_dropped"] = collected_.dropped;
        result_.seconds = watch.seconds();
    }

    const qubo::Problem& given_;
    const SolveOptions& options_;
    StopToken stop_;
    ProgressSink& progress_;
    Watch::Clock::time_point start_;
    const Technique& technique_;
    OptionValues values_;
    Reduction reduction_;
    std::optional<qubo::Problem> penalized_;
    std::vector<std::vector<uint8_t>> initial_;
    int threads_ = 1;
    std::optional<double> tolerance_;  // of the working problem
    Collected collected_;
    SolveResult result_;
};

}  // namespace

SolveResult solve(const qubo::Problem& problem, const SolveOptions& options, StopToken stop,
                  ProgressSink& progress) {
    check(problem, options);
    return Solver(problem, options, stop, progress).run();
}

}  // namespace adiabat::anneal
