// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/states.h"

namespace adiabat::anneal {

namespace {

Json finite_or_null(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json interval_json(const Interval& interval) {
    return Json::array({finite_or_null(interval.low), finite_or_null(interval.high)});
}

double per_second(int64_t count, double seconds) {
    return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

// How many reads reached a target, where there is one.
Json success_json(const qubo::Problem& problem, const SolveResult& result, double target) {
    const double reached = target + target_tolerance(problem, target, result.tolerance);
    const auto runs = static_cast<int64_t>(result.best.size());
    const int64_t successes = std::ranges::count_if(
        result.best, [&](const Solution& read) { return read.energy <= reached; });
    return {{"target", target},
            {"tolerance", reached - target},
            {"reads", runs},
            {"successes", successes},
            {"probability_interval", interval_json(wilson_interval(successes, runs))}};
}

}  // namespace

Json solutions_json(const std::vector<Solution>& solutions) {
    Json all = Json::array();
    for (const Solution& solution : solutions) {
        all.push_back({{"energy", solution.energy},
                       {"multiplicity", solution.multiplicity},
                       {"x", bits_of(solution.x)}});
    }
    return all;
}

Json gap_json(const qubo::Problem& problem, double energy,
              const std::optional<Certificate>& certificate) {
    if (!certificate) return nullptr;
    const double gap = std::max(0.0, energy - certificate->bound);
    return {{"bound", finite_or_null(certificate->bound)},
            {"method", certificate->method},
            {"seconds", certificate->seconds},
            {"gap", finite_or_null(gap)},
            {"relative_gap", energy == 0 ? Json(nullptr) : finite_or_null(gap / std::abs(energy))},
            {"optimal", std::isfinite(gap) &&
                            gap <= target_tolerance(problem, energy, certificate->tolerance)}};
}

namespace {

// In words what gap_json() found.
std::string statement_of(const Json& gap, double energy,
                         const std::optional<Certificate>& certificate) {
    if (!certificate || std::isinf(certificate->bound)) return "no lower bound";
    if (gap["optimal"].get<bool>()) return fmt::format("optimal, proven ({})", certificate->method);
    const std::string size = energy == 0
                                 ? fmt::format("{:.6g}", gap["gap"].get<double>())
                                 : fmt::format("{:.3g} %", 100 * gap["relative_gap"].get<double>());
    return fmt::format("lower bound {:.8g} ({}), gap {}", certificate->bound, certificate->method,
                       size);
}

}  // namespace

std::string gap_text(const qubo::Problem& problem, double energy,
                     const std::optional<Certificate>& certificate) {
    return statement_of(gap_json(problem, energy, certificate), energy, certificate);
}

Json options_json(const SolveOptions& options, const Json& values) {
    const auto or_null = [](const std::optional<double>& value) {
        return value ? Json(*value) : Json(nullptr);
    };
    return {{"technique", options.technique},
            {"values", values.is_null() ? Json(options.values) : values},
            {"reads", options.reads},
            {"restarts", options.restarts},
            {"seed", options.seed},
            {"initial", options.initial.size()},
            {"time_limit", or_null(options.time_limit)},
            {"target", or_null(options.target)},
            {"penalty", or_null(options.penalty)},
            {"polish", options.polish},
            {"keep", options.keep}};
}

Json problem_json(const qubo::Problem& problem) {
    const qubo::Constraints& constraints = problem.constraints;
    Json json = {{"form", problem.form_name()}, {"variables", problem.variables()}};
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form))
        json["couplings"] = sparse->pairs();
    if (const auto* const factored = std::get_if<qubo::Factored>(&problem.form))
        json["rank"] = factored->rank();
    json["spins"] = problem.spins;
    json["memory_bytes"] = problem.memory_bytes();
    json["constraints"] = {{"budgets", constraints.budgets.size()},
                           {"groups", constraints.groups.size()},
                           {"fixed", constraints.fixed.size()}};
    if (!problem.names.empty()) json["names"] = problem.names;
    return json;
}

Json result_json(const qubo::Problem& problem, const SolveResult& result,
                 const DocumentOptions& options) {
    Json json = {
        {"problem", problem_json(problem)},
        {"options", options_json(options.solve, result.options)},
        {"end", to_text(result.end)},
        {"energy", result.lowest.empty() ? Json(nullptr) : Json(result.lowest.front().energy)}};
    if (!result.lowest.empty()) {
        const double lowest = result.lowest.front().energy;
        json["certificate"] = gap_json(problem, lowest, options.certificate);
        json["statement"] = statement_of(json["certificate"], lowest, options.certificate);
    }
    json["solutions"] = solutions_json(result.lowest.all);
    if (options.samples != Samples::kLowest)
        json["samples"] =
            solutions_json(options.samples == Samples::kBest ? result.best : result.last);
    if (options.solve.target)
        json["success"] = success_json(problem, result, *options.solve.target);
    json["work"] = {{"reads", result.best.size()},
                    {"rounds", result.rounds},
                    {"sweeps", result.sweeps},
                    {"proposals", result.proposals},
                    {"flips", result.flips},
                    {"seconds", result.seconds},
                    {"proposals_per_second", per_second(result.proposals, result.seconds)},
                    {"memory_bytes", result.memory_bytes}};
    json["details"] = result.details;
    return json;
}

Json comparison_json(const qubo::Problem& problem, const Comparison& comparison,
                     const std::optional<Certificate>& certificate) {
    Json rows = Json::array();
    for (const Compared& row : comparison.rows) {
        if (!row.refused.empty()) {
            rows.push_back({{"technique", row.technique}, {"refused", row.refused}});
            continue;
        }
        rows.push_back({{"technique", row.technique},
                        {"values", row.options},
                        {"end", to_text(row.end)},
                        {"energy", row.energy ? Json(*row.energy) : Json(nullptr)},
                        {"certificate",
                         row.energy ? gap_json(problem, *row.energy, certificate) : Json(nullptr)},
                        {"own_bound", row.bound ? Json(*row.bound) : Json(nullptr)},
                        {"reads", row.runs.runs},
                        {"successes", row.runs.successes},
                        {"probability_interval", interval_json(row.success)},
                        {"processor_seconds_a_read", row.runs.seconds_a_run},
                        {"time_to_target_seconds", finite_or_null(row.time_to_target)},
                        {"time_to_target_interval", interval_json(row.interval)},
                        {"seconds", row.seconds},
                        {"processor_seconds", row.processor_seconds},
                        {"sweeps", row.sweeps},
                        {"proposals", row.proposals},
                        {"proposals_per_second", per_second(row.proposals, row.seconds)}});
    }
    return {{"target", finite_or_null(comparison.target)},
            {"target_given", comparison.target_given},
            {"tolerance", comparison.tolerance},
            {"confidence", kConfidence},
            {"chance", kTargetChance},
            {"rows", rows}};
}

Json ladder_json(const Ladder& ladder) {
    Json rungs = Json::array();
    for (const Rung& rung : ladder.rungs) {
        rungs.push_back({{"length", rung.runs.length},
                         {"reads", rung.runs.runs},
                         {"successes", rung.runs.successes},
                         {"probability_interval", interval_json(rung.success)},
                         {"processor_seconds_a_read", rung.runs.seconds_a_run},
                         {"time_to_target_seconds", finite_or_null(rung.runs.time_to_target())},
                         {"proposals_per_second", rung.proposals_a_second}});
    }
    Json json = {{"technique", ladder.technique},
                 {"length_option", ladder.option},
                 {"target", finite_or_null(ladder.target)},
                 {"target_given", ladder.target_given},
                 {"tolerance", ladder.tolerance},
                 {"confidence", kConfidence},
                 {"chance", kTargetChance},
                 {"end", to_text(ladder.end)},
                 {"time_to_target_seconds", finite_or_null(ladder.seconds)},
                 {"time_to_target_interval", interval_json(ladder.interval)}};
    json["best_length"] =
        std::isfinite(ladder.seconds) ? Json(ladder.rungs[ladder.best].runs.length) : Json(nullptr);
    json["rungs"] = rungs;
    return json;
}

std::string solutions_csv(const std::vector<Solution>& solutions) {
    std::string text = "rank,energy,multiplicity,x\n";
    for (size_t k = 0; k < solutions.size(); ++k) {
        text += fmt::format("{},{},{},{}\n", k + 1, solutions[k].energy, solutions[k].multiplicity,
                            bits_of(solutions[k].x));
    }
    return text;
}

std::string comparison_csv(const Comparison& comparison) {
    std::string text =
        "technique,energy,reads,successes,success_low,success_high,seconds_a_read,time_to_target,"
        "time_to_target_low,time_to_target_high,seconds,sweeps,proposals\n";
    for (const Compared& row : comparison.rows) {
        if (!row.refused.empty()) continue;
        text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{}\n", row.technique,
                            row.energy ? fmt::format("{}", *row.energy) : "", row.runs.runs,
                            row.runs.successes, row.success.low, row.success.high,
                            row.runs.seconds_a_run, row.time_to_target, row.interval.low,
                            row.interval.high, row.seconds, row.sweeps, row.proposals);
    }
    return text;
}

std::string ladder_csv(const Ladder& ladder) {
    std::string text =
        "length,reads,successes,success_low,success_high,seconds_a_read,time_to_target\n";
    for (const Rung& rung : ladder.rungs) {
        text += fmt::format("{},{},{},{},{},{},{}\n", rung.runs.length, rung.runs.runs,
                            rung.runs.successes, rung.success.low, rung.success.high,
                            rung.runs.seconds_a_run, rung.runs.time_to_target());
    }
    return text;
}

}  // namespace adiabat::anneal
