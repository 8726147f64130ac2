// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/genetic.h"

#include <algorithm>
#include <array>
#include <string>

#include "adiabat/anneal/genetic/plugin.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/reads.h"
#include "adiabat/base/errors.h"
#include "adiabat/base/module.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x5A50, kSeedStream = 0x5A51;
constexpr double kWorst = 1e300;  // what is no longer looked at

constexpr std::array<Option, 4> kOptions = {{
    {"generations", 200, 1, 1e12, true, "of each read"},
    {"population", 100, 2, 1e6, true, "assignments in a generation"},
    {"crossover", 0.9, 0, 1, false, "probability that two parents are recombined"},
    {"mutation", kFromProblem, 0, 1, false, "probability that a variable is drawn anew; 2 / n"},
}};

GeneticEntry entry() {
    static const auto known = reinterpret_cast<GeneticEntry>(module_function(
        {"libadiabat_genetic.so", "ADIABAT_GENETIC_PLUGIN", "the genetic algorithm"},
        kGeneticEntry));
    return known;
}

Tally run_read(const Task& task, GeneticEntry evolve, int first, Read& read) {
    const OptionValues& given = task.options;
    const auto number = task.first_read + static_cast<uint32_t>(first);
    const int n = task.problem.variables();
    Tally tally;
    Incumbent best(task, tolerance_of(task));
    Pace pace(task.watch);
    bool ended = n == 0;
    const auto energy = [&](std::span<const uint8_t> x) {
        ended = ended || pace.over(int64_t{n} * n / 4 + n);
        if (ended && !best.x().empty()) return kWorst;
        const double value = task.problem.energy(x);
        best.consider(x, value);
        ++tally.proposals;
        return value;
    };
    std::vector<std::vector<uint8_t>> population{start_of(task, first)};
    energy(population[0]);
    if (!ended) {
        Random random(task.seed, kStream, number);
        population.resize(static_cast<size_t>(given.whole("population")));
        for (size_t k = 1; k < population.size(); ++k) {
            population[k].resize(static_cast<size_t>(n));
            for (auto& value : population[k]) value = static_cast<uint8_t>(random() >> 31);
        }
        GeneticJob job;
        job.population = population;
        job.generations = given.whole("generations");
        job.crossover = given["crossover"];
        job.mutation = given.get("mutation", std::min(1.0, 2.0 / n));
        job.seed = static_cast<uint32_t>(derived_seed(task.seed, kSeedStream, number));
        job.energy = energy;
        job.over = [&] { return ended; };
        tally.sweeps = evolve(job);
    }
    read = best.read(best.x());
    return tally;
}

Outcome run(const Task& task) {
    const GeneticEntry evolve = task.watch.over() ? nullptr : entry();
    task.watch.begin("genetic algorithm",
                     static_cast<uint64_t>(task.reads) *
                         static_cast<uint64_t>(task.options.whole("population")) *
                         static_cast<uint64_t>(task.options.whole("generations") + 1),
                     "energies");
    return run_reads(task, 1, [&](int first, std::span<Read> reads) {
        return run_read(task, evolve, first, reads[0]);
    });
}

uint64_t memory_bytes(const Task& task) {
    const auto n = static_cast<uint64_t>(task.problem.variables());
    const auto population = static_cast<uint64_t>(task.options.whole("population"));
    // pagmo keeps doubles, and copies of its population while one generation becomes the next.
    return n * (32 * population * static_cast<uint64_t>(task.threads) +
                2 * static_cast<uint64_t>(task.reads));
}

}  // namespace

constexpr Technique kGenetic = {
    .name = "genetic",
    .title = "Genetic algorithm",
    .idea =
        "A population of assignments is recombined and mutated, the better of two chosen as "
        "parents (pagmo's sga). For comparison: it knows nothing of the couplings.",
    .source = "J. Holland (1975); F. Biscani, D. Izzo (pagmo, 2020)",
    .options = kOptions,
    .budgets = Keeps::kByPenalty,
    .groups = Keeps::kByPenalty,
    .most_variables = 1'000'000,
    .memory_bytes = memory_bytes,
    .run = run,
};

}  // namespace adiabat::anneal
