// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/annealing.h"

#include <atomic>

#include "adiabat/anneal/kernels/dense_lanes.h"
#include "adiabat/anneal/schedule.h"
#include "adiabat/anneal/walker_reads.h"

namespace adiabat::anneal {

namespace {

constexpr Option kOptions[] = {
    {"sweeps", 1000, 1, 4e9, true, "sweeps of each read: every variable is proposed once a sweep"},
    {"beta-min", kFromProblem, 0, 1e300, false, "inverse temperature at the start, in 1 / energy"},
    {"beta-max", kFromProblem, 0, 1e300, false, "inverse temperature at the end"},
    {"schedule", 0, 0, 2, true, "how beta rises in between", "geometric|linear|adaptive"},
    {"moves", 0, 0, 1, true,
     "pairs: after the flips of a sweep as many flips of pairs, by heat bath", "flips|pairs"},
};

Outcome run(const Task& task) {
    const auto model =
        make_model(task.problem, task.reads, task.watch,
                   task.options.word("moves") == "pairs" ? Moves::kPairs : Moves::kFlips);
    if (!model) return outcome_at_start(task);
    const Schedule schedule = schedule_of(task, *model);
    Outcome outcome;
    outcome.reads.resize(static_cast<size_t>(task.reads));
    std::atomic<int64_t> sweeps{0}, flips{0};
    task.watch.begin("anneal",
                     static_cast<uint64_t>(task.reads) * static_cast<uint64_t>(schedule.sweeps()),
                     "sweeps");
    for_each_run(task, model->replicas_together(), [&](int first, int count) {
        const auto walkers =
            model->walkers(count, task.seed, task.first_read + static_cast<uint32_t>(first));
        Reporter reporter(task);
        int begun = 0;  // to set a state takes as long as many sweeps
        for (; begun < count && (begun == 0 || !task.watch.over()); ++begun)
            walkers->set_state(begun, start_of(task, first + begun));
        std::vector<double> betas(static_cast<size_t>(count));
        for (int64_t k = 0; k < schedule.sweeps() && !task.watch.over(); ++k) {
            betas.assign(betas.size(), schedule.beta(k));
            walkers->sweep(betas, static_cast<uint32_t>(k), task.watch);
            reporter.look_at(*walkers);
            task.watch.advance(static_cast<uint64_t>(count));
            sweeps += count;
        }
        for (int r = 0; r < begun; ++r)
            outcome.reads[static_cast<size_t>(first) + static_cast<size_t>(r)] =
                read_of(*walkers, r);
        flips += walkers->flips();
    });
    std::erase_if(outcome.reads, [](const Read& read) { return read.best.empty(); });
    outcome.sweeps = sweeps;
    outcome.proposals = sweeps * task.problem.variables();
    outcome.flips = flips;
    outcome.details["beta_min"] = schedule.range().min;
    outcome.details["beta_max"] = schedule.range().max;
    return outcome;
}

}  // namespace

uint64_t walker_memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto reads = static_cast<uint64_t>(std::min(task.reads, 64 * task.threads));
    if (!task.problem.constraints.empty()) return reads * 40 * n;
    if (std::holds_alternative<qubo::Dense>(task.problem.form)) {
        if (n > kMostInLanes) return 4 * n * n + reads * 9 * n;
        return 4 * n * n + DenseLaneCouplings::most_bytes(n) + reads * 17 * n;
    }
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&task.problem.form))
        return 16 * sparse->pairs() + reads * 16 * n;
    const auto rank = static_cast<uint64_t>(std::get<qubo::Factored>(task.problem.form).rank());
    return 4 * n * (rank + 16) + reads * 24 * n;
}

const Technique kAnnealing = {
    .name = "annealing",
    .title = "Simulated annealing",
    .idea =
        "Every variable is proposed in turn; a flip that raises the energy by dE is accepted with "
        "probability exp(-beta dE), and beta rises from the problem's coarsest scale to its "
        "finest.",
    .source = "Kirkpatrick, Gelatt, Vecchi 1983",
    .options = kOptions,
    .budgets = Keeps::kNatively,
    .groups = Keeps::kNatively,
    .most_variables = qubo::kMaxSparseVariables,
    .memory_bytes = walker_memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
