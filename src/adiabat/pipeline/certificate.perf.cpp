// SPDX-License-Identifier: Apache-2.0
//
// How near to the best plan the decision is proven to be: for each budget and each mix of
// interactions the gap. One CSV row each.
//
//     adiabat_perf_certificate MODEL DATA PREPROCESS.json IMAGES SECONDS 'BUDGET;BUDGET..'
//         'KAPPA,TAU,RHO_CUTS,RHO_MIXED,RHO_WIDTHS[,shares];..' [keep=PATTERN] [only=PATTERN]..
//         [bits=2,3,4,5,6,8] [effort=1] [starts=8] [seed=0] [program=SECONDS]
//
// keep=* leaves bits alone to be decided. program= solves the separable program (without couplings)
// by Cbc too.

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "adiabat/anneal/watch.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/mixes.perf.h"
#include "adiabat/plan/certificate.h"
#include "adiabat/plan/integer_program.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {
namespace {

int run(int argc, char** argv) {
    if (argc < 8) return 2;
    SubjectOptions options{.model = argv[1]};
    plan::DecideOptions search;
    double program_seconds = 0;
    for (int k = 8; k < argc; ++k) {
        const std::string text = argv[k], value = text.substr(text.find('=') + 1);
        if (text.rfind("keep=", 0) == 0) options.controls.keep.push_back(value);
        if (text.rfind("only=", 0) == 0) options.controls.only.push_back(value);
        if (text.rfind("bits=", 0) == 0) options.controls.bits = value;
        if (text.rfind("program=", 0) == 0) program_seconds = std::atof(value.c_str());
        if (text.rfind("effort=", 0) == 0) search.effort = std::atof(value.c_str());
        if (text.rfind("starts=", 0) == 0) search.starts = std::atoi(value.c_str());
        if (text.rfind("seed=", 0) == 0) search.seed = std::strtoull(value.c_str(), nullptr, 10);
    }
    const Subject subject(options, no_progress());
    const Calibration calibration = read_case(subject, argv, 0);
    const Sensed sensed = sense_effects(subject, calibration, {}, {}, no_progress());
    fmt::print(
        "budget,mix,variables,decide_seconds,energy,bound,root_bound,gap,optimal,nodes,"
        "seconds,better_by\n");
    for (const std::string& budget : split(argv[6], ';')) {
        const AskedBudgets asked = ask_budgets(subject, budget, no_progress());
        for (const std::string& text : split(argv[7], ';')) {
            const plan::Hamiltonian hamiltonian = plan::measured_hamiltonian(
                subject.network(), sensed.effects, parse_interactions(text));
            const anneal::Watch watch{};
            const plan::Decision decision = plan::decide(
                subject.network(), hamiltonian, asked.budgets, subject.costs(), search, {});
            const double seconds = watch.seconds();
            const plan::Certificate found =
                plan::certify(subject.network(), hamiltonian, asked.budgets, subject.costs(),
                              decision.plan(), {.time_limit = std::atof(argv[5])}, {});
            fmt::print("\"{}\",\"{}\",{},{:.2f},{:.8g},{:.8g},{:.8g},{:.5f},{},{},{:.2f},{:.3g}\n",
                       budget, text, hamiltonian.encoding.variables, seconds, found.energy,
                       found.bound, found.root_bound, found.gap, found.is_optimal ? 1 : 0,
                       found.nodes, found.seconds, decision.energy() - found.energy);
            if (program_seconds > 0) {
                const auto program =
                    plan::solve_integer_program(subject.network(), hamiltonian, asked.budgets,
                                                subject.costs(), {.time_limit = program_seconds});
                fmt::print("\"{}\",\"integer program\",{},{:.2f},{:.8g},{:.8g},,,{},,{:.2f},\n",
                           budget, hamiltonian.encoding.variables, 0.0, program.energy,
                           program.bound, program.is_optimal ? 1 : 0, program.seconds);
            }
            std::fflush(stdout);
        }
    }
    return 0;
}

}  // namespace
}  // namespace adiabat::pipeline

int main(int argc, char** argv) {
    return adiabat::pipeline::in_main(adiabat::pipeline::run, argc, argv);
}
