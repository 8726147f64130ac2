// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/quantum_annealing.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "adiabat/anneal/natural_range.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/sliced_walk.h"

namespace adiabat::anneal {

namespace {

constexpr std::array<Option, 5> kOptions = {{
    {"sweeps", 1000, 1, 4294967295.0, true, "sweeps of each read over all slices"},
    {"slices", 32, 2, 1024, true, "Trotter slices"},
    {"schedule", 0, 0, 2, true, "how the transverse field falls and the energy's share grows",
     "advantage|advantage2|linear"},
    {"beta", kFromProblem, 1e-100, 1e300, false, "inverse temperature"},
    {"field", kFromProblem, 1e-100, 1e300, false,
     "energy that the schedule's A counts in; the largest typical local field"},
}};

struct Row {
    double s, a, b;  // GHz
};
// D-Wave's published tables.
constexpr std::array<Row, 10> kAdvantage = {{{0, 9.63, .232},
                                             {.1, 4.37, .502},
                                             {.2, 2.28, .875},
                                             {.3, 1.17, 1.35},
                                             {.4, .502, 1.93},
                                             {.5, .145, 2.61},
                                             {.6, .0223, 3.40},
                                             {.7, 1.6e-3, 4.28},
                                             {.8, 4.6e-5, 5.28},
                                             {1, 1.5e-9, 7.57}}};
constexpr std::array<Row, 10> kAdvantage2 = {{{0, 11.3, .558},
                                              {.1, 5.71, 1.09},
                                              {.2, 3.28, 1.77},
                                              {.3, 1.89, 2.62},
                                              {.4, .964, 3.70},
                                              {.5, .372, 5.04},
                                              {.6, .0892, 6.61},
                                              {.7, .0117, 8.36},
                                              {.8, 7.8e-4, 10.3},
                                              {1, 3.3e-7, 14.7}}};

Amplitudes interpolated(std::span<const Row> table, double s) {
    size_t k = 1;
    while (k + 1 < table.size() && table[k].s < s) ++k;
    const Row &low = table[k - 1], &high = table[k];
    const double part = (s - low.s) / (high.s - low.s);
    const auto between = [part](double a, double b) {
        return std::exp(std::log(a) + part * (std::log(b) - std::log(a)));
    };
    const double unit = table.back().b;
    return {between(low.a, high.a) / unit, between(low.b, high.b) / unit};
}

struct Plan {
    int64_t sweeps = 0;
    int slices = 0;
    QuantumSchedule schedule = QuantumSchedule::kAdvantage;
    double beta = 0, field = 0;
};

Plan plan_of(const Task& task) {
    const OptionValues& given = task.options;
    const BetaRange range = natural_range(task.problem, &task.watch);
    Plan plan;
    plan.sweeps = given.whole("sweeps");
    plan.slices = static_cast<int>(given.whole("slices"));
    plan.schedule = static_cast<QuantumSchedule>(given.whole("schedule"));
    plan.beta = given.get("beta", range.max);
    plan.field = given.get("field", std::log(2) / range.min / 2);
    return plan;
}

Tally run_read(const Task& task, const Plan& plan, int first, Read& read) {
    Pace pace(task.watch);
    Incumbent best(task, tolerance_of(task));
    SlicedWalk walk(task.problem, plan.slices, start_of(task, first), task.seed,
                    task.first_read + static_cast<uint32_t>(first), &task.watch);
    Tally tally;
    const auto consider = [&] {
        for (int m = 0; m < walk.slices(); ++m)
            best.consider(walk.slice(m).x(), walk.slice(m).energy());
    };
    consider();
    for (int64_t k = 0; k < plan.sweeps && !pace.over(1, 0); ++k) {
        const double s =
            plan.sweeps > 1 ? static_cast<double>(k) / static_cast<double>(plan.sweeps - 1) : 1.0;
        const auto [a, b] = amplitudes_at(plan.schedule, s);
        const auto weights = slice_weights(plan.beta, plan.field * a, b, plan.slices);
        const bool whole = walk.sweep(weights, static_cast<uint32_t>(k), pace);
        consider();
        if (!whole) break;
        ++tally.sweeps;
    }
    read = best.read(walk.slice(0).x());
    tally.proposals = tally.sweeps * task.problem.variables() * (plan.slices + 1);
    tally.flips = walk.flips();
    return tally;
}

Outcome run(const Task& task) {
    const Plan plan = plan_of(task);
    task.watch.begin("quantum annealing",
                     static_cast<uint64_t>(task.reads) * static_cast<uint64_t>(plan.sweeps) *
                         static_cast<uint64_t>(plan.slices),
                     "sweeps of a slice");
    Outcome outcome = run_reads(task, 1, [&](int first, std::span<Read> reads) {
        return run_read(task, plan, first, reads[0]);
    });
    outcome.details = {{"beta", plan.beta}, {"field", plan.field}, {"slices", plan.slices}};
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto slices = static_cast<uint64_t>(task.options.whole("slices"));
    return n * (9 * (slices + 1) * static_cast<uint64_t>(task.threads) +
                2 * static_cast<uint64_t>(task.reads));
}

}  // namespace

Amplitudes amplitudes_at(QuantumSchedule schedule, double s) {
    switch (schedule) {
        case QuantumSchedule::kAdvantage:
            return interpolated(kAdvantage, s);
        case QuantumSchedule::kAdvantage2:
            return interpolated(kAdvantage2, s);
        case QuantumSchedule::kLinear:
            return {1 - s, s};
    }
    return {};
}

constexpr Technique kQuantumAnnealing = {
    .name = "quantum-annealing",
    .title = "Simulated quantum annealing",
    .idea =
        "Path-integral Monte Carlo: coupled copies of the assignment stand for one quantum "
        "state whose transverse field falls as on the hardware. Not a simulation of the "
        "hardware's dynamics; it shares its equilibrium at each point of the schedule.",
    .source = "R. Martonak, G. Santoro, E. Tosatti (2002)",
    .options = kOptions,
    .budgets = Keeps::kByPenalty,
    .groups = Keeps::kByPenalty,
    .most_variables = qubo::kMaxSparseVariables / 10,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
