// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/compare.h"

#include <algorithm>
#include <set>

#include "adiabat/anneal/time_to_target.h"
#include "adiabat/base/processor_time.h"

namespace adiabat::anneal {

namespace {

bool has_option(const Technique& technique, std::string_view name) {
    return std::ranges::any_of(technique.options,
                               [&](const Option& option) { return name == option.name; });
}

using Values = std::map<std::string, std::string>;

// What of the given values is for one technique: "name" where it has the option, "technique.name".
Values values_of(const Technique& technique, const Values& given) {
    Values own;
    const std::string prefix = std::string(technique.name) + ".";
    for (const auto& [name, value] : given) {
        if (has_option(technique, name)) own.try_emplace(name, value);
        if (name.starts_with(prefix)) own[name.substr(prefix.size())] = value;
    }
    return own;
}

void check(const CompareOptions& options) {
    if (options.techniques.empty()) throw InputError("no techniques to compare");
    if (!options.solve.time_limit)
        throw InputError("a comparison needs a time limit: each technique gets it");
    std::set<std::string> seen;
    Values left = options.solve.values;
    for (const std::string& name : options.techniques) {
        const Technique& known = technique(name);
        if (!seen.insert(name).second) throw InputError("technique '{}' is there twice", name);
        std::erase_if(left, [&](const auto& value) {
            return has_option(known, value.first) || value.first.starts_with(name + ".");
        });
    }
    if (!left.empty())
        throw InputError("none of the techniques has an option '{}'", left.begin()->first);
}

// The energies of the reads, for judging when the target is known.
struct Run {
    Compared row;
    std::vector<double> energies;
};

Run run_one(const qubo::Problem& problem, const std::string& name, const CompareOptions& options,
            StopToken stop, ProgressSink& progress, Solution& lowest) {
    Run run;
    run.row.technique = name;
    SolveOptions own = options.solve;
    own.technique = name;
    own.values = values_of(technique(name), options.solve.values);
    own.target.reset();  // all run for the whole time: reads are counted, not the first success
    own.restarts = 0;
    const double before = processor_seconds();
    SolveResult result;
    try {
        result = solve(problem, own, stop, progress);
    } catch (const InputError& error) {
        run.row.refused = error.what();
        return run;
    }
    run.row.processor_seconds = processor_seconds() - before;
    run.row.seconds = result.seconds;
    run.row.sweeps = result.sweeps;
    run.row.proposals = result.proposals;
    run.row.bound = result.bound;
    run.row.end = result.end;
    run.row.options = result.options;
    // The reads of an exact technique are one search: a round counts once.
    const size_t step = result.bound ? static_cast<size_t>(own.reads) : 1;
    for (size_t k = 0; k < result.best.size(); k += step)
        run.energies.push_back(result.best[k].energy);
    if (!result.lowest.empty()) {
        const Solution& best = result.lowest.front();
        run.row.energy = best.energy;
        if (lowest.x.empty() || best.energy < lowest.energy) lowest = best;
    }
    return run;
}

void judge(Run& run, double reached) {
    Compared& row = run.row;
    row.runs.runs = static_cast<int64_t>(run.energies.size());
    row.runs.successes =
        std::ranges::count_if(run.energies, [&](double energy) { return energy <= reached; });
    if (row.runs.runs > 0)
        row.runs.seconds_a_run = row.processor_seconds / static_cast<double>(row.runs.runs);
    row.success = wilson_interval(row.runs.successes, row.runs.runs);
    row.time_to_target = row.runs.time_to_target();
    row.interval = {time_to_target(row.runs.seconds_a_run, row.success.high),
                    time_to_target(row.runs.seconds_a_run, row.success.low)};
}

}  // namespace

Comparison compare(const qubo::Problem& problem, const CompareOptions& options, StopToken stop,
                   ProgressSink& progress) {
    check(options);
    Comparison result;
    std::vector<Run> runs;
    for (const std::string& name : options.techniques) {
        if (stop.requested()) break;
        runs.push_back(run_one(problem, name, options, stop, progress, result.lowest));
    }
    result.interrupted = stop.requested();
    if (std::ranges::all_of(runs, [](const Run& run) { return !run.row.refused.empty(); })) {
        if (runs.empty()) throw Interrupted();
        throw InputError("{}", runs.front().row.refused);
    }
    result.target_given = options.solve.target.has_value();
    result.target = options.solve.target.value_or(result.lowest.energy);
    result.tolerance = target_tolerance(problem, result.target);
    for (Run& run : runs) {
        if (run.row.refused.empty()) judge(run, result.target + result.tolerance);
        result.rows.push_back(std::move(run.row));
    }
    return result;
}

}  // namespace adiabat::anneal
