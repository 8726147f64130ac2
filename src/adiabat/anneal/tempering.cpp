// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/tempering.h"

#include <array>

#include "adiabat/anneal/reads.h"
#include "adiabat/anneal/schedule.h"
#include "adiabat/anneal/temperature_ladder.h"
#include "adiabat/anneal/walker_reads.h"

namespace adiabat::anneal {

namespace {

constexpr int kPlacings = 4;
constexpr int64_t kShareOfPlacing = 4;  // one part in so many of the sweeps

constexpr std::array<Option, 6> kOptions = {{
    {"sweeps", 1000, 1, 4294967295.0, true, "of each replica"},
    {"temperatures", 16, 1, 1000, true, "rungs of the ladder"},
    {"copies", kFromProblem, 1, 64, true,
     "replicas at each temperature, which exchange clusters; 2 for sparse problems, else 1"},
    {"every", 1, 1, 1e9, true, "sweeps between exchanges"},
    {"beta-min", kFromProblem, 1e-100, 1e300, false, "inverse temperature of the hottest"},
    {"beta-max", kFromProblem, 1e-100, 1e300, false, "inverse temperature of the coldest"},
}};

struct Plan {
    int64_t sweeps = 0, every = 1;
    int temperatures = 0, copies = 0;
    BetaRange range;
    int replicas() const { return temperatures * copies; }
};

// Without the range, which takes time that a memory estimate need not spend.
Plan counts_of(const Task& task) {
    const OptionValues& given = task.options;
    Plan plan;
    plan.sweeps = given.whole("sweeps");
    plan.every = given.whole("every");
    plan.temperatures = static_cast<int>(given.whole("temperatures"));
    const bool sparse =
        std::holds_alternative<qubo::Sparse>(task.problem.form) && task.problem.constraints.empty();
    plan.copies = static_cast<int>(given.get("copies", sparse ? 2 : 1));
    return plan;
}

Plan plan_of(const Task& task) {
    Plan plan = counts_of(task);
    plan.range = range_of(task);
    // One rung is the coldest.
    if (plan.temperatures == 1) plan.range.min = plan.range.max;
    return plan;
}

// What is reported of the first read.
struct Report {
    std::vector<double> betas, rates;
};

class Tempering {
  public:
    Tempering(const Task& task, const Plan& plan, const Model& model, int read)
        : task_(task),
          plan_(plan),
          ladder_(task.problem, model,
                  geometric_betas(plan.range.min, plan.range.max, plan.temperatures), plan.copies,
                  {task.seed, (task.first_read + static_cast<uint32_t>(read)) *
                                  static_cast<uint32_t>(plan.replicas())}),
          reporter_(task) {
        // All replicas start alike; the hot ones forget it at once and pass on what they find.
        const auto start = start_of(task, read);
        ladder_.walkers().set_state(0, start);
        for (int r = 1; r < plan.replicas(); ++r) ladder_.walkers().copy(0, r);
    }

    Tally run(Read& read) {
        const int64_t placing = plan_.sweeps / kShareOfPlacing / kPlacings;
        Tally tally;
        for (int64_t k = 0; k < plan_.sweeps && !task_.watch.over(); ++k) {
            ladder_.sweep(task_.watch);
            tally.sweeps += plan_.replicas();
            reporter_.look_at(ladder_.walkers());
            task_.watch.advance(static_cast<uint64_t>(plan_.replicas()));
            if ((k + 1) % plan_.every != 0) continue;
            ladder_.exchange();
            ladder_.move_clusters();
            if (placing > 0 && (k + 1) % placing == 0 && (k + 1) / placing <= kPlacings)
                ladder_.place_evenly();
        }
        const Walkers& walkers = ladder_.walkers();
        int lowest = 0;
        for (int r = 1; r < plan_.replicas(); ++r)
            if (walkers.best_energy(r) < walkers.best_energy(lowest)) lowest = r;
        read = read_of(walkers, lowest);
        read.last = walkers.state(ladder_.replica(plan_.temperatures - 1, 0));
        tally.proposals = tally.sweeps * task_.problem.variables();
        tally.flips = walkers.flips();
        return tally;
    }

    Report report() const {
        return {{ladder_.betas().begin(), ladder_.betas().end()}, ladder_.exchange_rates()};
    }

  private:
    const Task& task_;
    const Plan& plan_;
    TemperatureLadder ladder_;
    Reporter reporter_;
};

Outcome run(const Task& task) {
    const Plan plan = plan_of(task);
    const auto model = make_model(task.problem, plan.replicas(), task.watch);
    if (!model) return outcome_at_start(task);
    task.watch.begin("parallel tempering",
                     static_cast<uint64_t>(task.reads) * static_cast<uint64_t>(plan.sweeps) *
                         static_cast<uint64_t>(plan.replicas()),
                     "sweeps");
    Report report;
    Outcome outcome = run_reads(task, 1, [&](int first, std::span<Read> reads) {
        Tempering tempering(task, plan, *model, first);
        const Tally tally = tempering.run(reads[0]);
        if (first == 0) report = tempering.report();
        return tally;
    });
    outcome.details = {{"betas", report.betas}, {"exchange-rates", report.rates}};
    return outcome;
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto replicas = static_cast<uint64_t>(counts_of(task).replicas());
    return task.problem.memory_bytes() + n * (40 * replicas * static_cast<uint64_t>(task.threads) +
                                              2 * static_cast<uint64_t>(task.reads));
}

}  // namespace

constexpr Technique kTempering = {
    .name = "tempering",
    .title = "Parallel tempering",
    .idea =
        "Replicas at a ladder of temperatures exchange them, so that what the hot ones find the "
        "cold ones refine. Temperatures are placed by measured exchange rates; on sparse "
        "problems copies also exchange clusters at constant energy.",
    .source = "K. Hukushima, K. Nemoto (1996); Z. Zhu, A. Ochoa, H. Katzgraber (2015)",
    .options = kOptions,
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = qubo::kMaxSparseVariables / 10,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
