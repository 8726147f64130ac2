// SPDX-License-Identifier: Apache-2.0
//
// What Hamiltonians decide, measured: for each budget and each mix of interactions the plan of
// least energy, carried out, its divergence from the original on judging images that took part in
// nothing. One CSV row a plan.
//
//     adiabat_perf_deciding MODEL DATA PREPROCESS.json IMAGES SEED 'BUDGET;BUDGET..' 'MIX;MIX..'
//         [FOLDER]
//
// IMAGES sense and as many judge. A mix is l1, separable, or
// measured:KAPPA,TAU,RHO_CUTS,RHO_MIXED,RHO_WIDTHS[,shares], each with :best=N for
// the best of N different plans on the judging images. FOLDER receives the files.

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <limits>

#include "adiabat/base/atomic_file.h"
#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/mixes.perf.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {
namespace {

struct Mix {
    HamiltonianKind kind = HamiltonianKind::kSeparable;
    plan::Interactions interactions = plan::Interactions::none();
    size_t best = 1;
};

Mix parse_mix(const std::string& text) {
    const auto parts = split(text, ':');
    Mix mix;
    mix.kind = parse_hamiltonian(parts[0]);
    for (size_t k = 1; k < parts.size(); ++k) {
        if (parts[k].rfind("best=", 0) == 0) {
            mix.best = static_cast<size_t>(std::atoi(parts[k].c_str() + 5));
            continue;
        }
        mix.interactions = parse_interactions(parts[k]);
    }
    return mix;
}

int run(int argc, char** argv) {
    if (argc < 8) return 2;
    const auto seed = static_cast<uint64_t>(std::atoll(argv[5]));
    Subject subject({.model = argv[1], .controls = {.keep_branches = true}}, no_progress());
    const Calibration calibration = read_case(subject, argv, seed);
    const Judge judge(subject, calibration.judging, SensingOptions{}.temperature, {});
    DecidingOptions how;
    how.sensing.seed = seed;
    how.search.seed = seed;
    const Sensed sensed = sense_effects(subject, calibration, how.sensing, {}, no_progress());
    fmt::print(stderr, "{}\n", sensed.document.dump());
    how.hamiltonian = HamiltonianKind::kL1;
    const plan::Hamiltonian l1 = weigh(subject, calibration, how, {}, no_progress()).hamiltonian;
    fmt::print(
        "seed,budget,mix,rank,energy,single,bits,within,cuts,mixed,widths,divergence,top1,file,"
        "macs\n");
    for (const std::string& budget : split(argv[6], ';')) {
        const AskedBudgets asked = ask_budgets(subject, budget, no_progress());
        for (const std::string& text : split(argv[7], ';')) {
            const Mix mix = parse_mix(text);
            const plan::Hamiltonian hamiltonian =
                mix.kind == HamiltonianKind::kL1
                    ? l1
                    : plan::measured_hamiltonian(subject.network(), sensed.effects,
                                                 mix.interactions);
            const plan::Decision decision =
                plan::decide(subject.network(), hamiltonian, asked.budgets, subject.costs(),
                             how.search, {}, no_progress());
            for (size_t k = 0; k < std::min(mix.best, decision.plans.size()); ++k) {
                const plan::Plan& plan = decision.plans[k];
                const auto file =
                    apply_plan(subject, plan, calibration.sensing.pixels, {}, no_progress());
                const Judgement found = judge.judge(file, "plan", {}, no_progress());
                const auto terms = plan::energy_terms(subject.network(), sensed.effects, plan);
                fmt::print(
                    "{},\"{}\",\"{}\",{},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},{:.6g},"
                    "{:.4f},{},{}\n",
                    seed, budget, text, k, decision.energies[k], terms.single, terms.single_widths,
                    terms.within, terms.cuts, terms.mixed, terms.widths, found.divergence,
                    100 * found.top1_after, file.size(), plan::cost(subject.network(), plan).macs);
                std::fflush(stdout);
                if (argc > 8) {
                    write_file_atomically(
                        fmt::format("{}/{}-{}-{}-{}.onnx", argv[8], seed, budget, text, k), file);
                }
            }
        }
    }
    return 0;
}

}  // namespace
}  // namespace adiabat::pipeline

int main(int argc, char** argv) {
    return adiabat::pipeline::in_main(adiabat::pipeline::run, argc, argv);
}
