// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/time_to_target.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/processor_time.h"

namespace adiabat::anneal {

namespace {

// A longer run is not worth trying once the time to target is so many times its least.
constexpr double kGivesUpAt = 6;
constexpr double kRelativeTolerance = 1e-9;

// Of one length, before the target is known.
struct Measured {
    int64_t length = 0;
    double seconds = 0;
    int64_t proposals = 0;
    std::vector<double> energies = {};  // of the reads
};

RunLength judged(const Measured& measured, double reached) {
    RunLength result{.length = measured.length};
    result.runs = static_cast<int64_t>(measured.energies.size());
    result.successes =
        std::ranges::count_if(measured.energies, [&](double energy) { return energy <= reached; });
    if (result.runs > 0) result.seconds_a_run = measured.seconds / static_cast<double>(result.runs);
    return result;
}

class Climb {
  public:
    Climb(const qubo::Problem& problem, const LadderOptions& options, Watch& watch, StopToken stop)
        : problem_(problem), options_(options), watch_(watch), stop_(stop) {
        ladder_.technique = options.solve.technique;
        ladder_.option = length_option(technique(options.solve.technique));
        ladder_.target_given = options.solve.target.has_value();
    }

    Ladder run() {
        watch_.begin("ladder", 0, "reads");
        const int64_t longest = std::max(options_.shortest, options_.longest);
        for (int64_t length = options_.shortest;; length *= 2) {
            measure(length);
            if (length > longest / 2 || watch_.over() || is_high_enough()) break;
        }
        ladder_.end = watch_.reason();
        finish();
        return ladder_;
    }

  private:
    void measure(int64_t length) {
        SolveOptions solve_options = options_.solve;
        solve_options.values[ladder_.option] = std::to_string(length);
        solve_options.restarts = 1;
        solve_options.target.reset();  // it would end reads that others are compared with
        if (options_.solve.time_limit) {
            // The first length begins in any case, as a first read does.
            const double left = *options_.solve.time_limit - watch_.seconds();
            solve_options.time_limit = std::max(left, 1e-3);
        }
        const double before = processor_seconds();
        const SolveResult result = solve(problem_, solve_options, stop_);
        const double seconds = processor_seconds() - before;
        watch_.advance(result.best.size());
        if (!result.lowest.empty()) {
            const Solution& lowest = result.lowest.front();
            watch_.offer(lowest.energy);
            if (ladder_.lowest.x.empty() || lowest.energy < ladder_.lowest.energy)
                ladder_.lowest = lowest;
        }
        // Reads that were cut short are reads of another length.
        if (result.end == EndReason::kInterrupted || result.end == EndReason::kTimeLimit) return;
        Measured measured{.length = length, .seconds = seconds, .proposals = result.proposals};
        for (const Solution& read : result.best) measured.energies.push_back(read.energy);
        measured_.push_back(std::move(measured));
    }

    double target() const { return options_.solve.target.value_or(ladder_.lowest.energy); }
    double reached() const { return target() + target_tolerance(problem_, target()); }

    bool is_high_enough() const {
        if (measured_.empty()) return true;
        double least = std::numeric_limits<double>::infinity(), last = least;
        bool sure = false;
        for (const Measured& measured : measured_) {
            const RunLength runs = judged(measured, reached());
            last = runs.time_to_target();
            least = std::min(least, last);
            sure = runs.successes == runs.runs;
        }
        return sure || last > kGivesUpAt * least;
    }

    void finish() {
        ladder_.target = target();
        ladder_.tolerance = target_tolerance(problem_, ladder_.target);
        std::vector<RunLength> runs;
        for (const Measured& measured : measured_) {
            runs.push_back(judged(measured, reached()));
            Rung rung{.runs = runs.back(),
                      .success = wilson_interval(runs.back().successes, runs.back().runs)};
            if (measured.seconds > 0)
                rung.proposals_a_second =
                    static_cast<double>(measured.proposals) / measured.seconds;
            ladder_.rungs.push_back(rung);
        }
        ladder_.best = best_length(runs);
        ladder_.seconds = best_time_to_target(runs);
        ladder_.interval = bootstrap_time_to_target(
            runs, {.resamples = options_.resamples, .seed = options_.solve.seed});
    }

    const qubo::Problem& problem_;
    const LadderOptions& options_;
    Watch& watch_;
    StopToken stop_;
    Ladder ladder_ = {};
    std::vector<Measured> measured_ = {};
};

}  // namespace

double target_tolerance(const qubo::Problem& problem, double target, std::optional<double> known) {
    return kRelativeTolerance * std::abs(target) + (known ? *known : energy_tolerance(problem));
}

std::string length_option(const Technique& technique) {
    constexpr std::array<std::string_view, 4> kNames = {"sweeps", "steps", "iterations",
                                                        "generations"};
    for (const std::string_view name : kNames) {
        for (const Option& option : technique.options)
            if (name == option.name) return std::string(name);
    }
    throw InputError("{} has no run length to make a ladder of: it has no option 'sweeps' or like",
                     technique.name);
}

Ladder measure_ladder(const qubo::Problem& problem, const LadderOptions& options, StopToken stop,
                      ProgressSink& progress) {
    Watch watch(stop, options.solve.time_limit, {}, progress);
    return Climb(problem, options, watch, stop).run();
}

}  // namespace adiabat::anneal
