// SPDX-License-Identifier: Apache-2.0
//
// One decision over filters and bits against two stages, measured: for each combined budget of file
// and MACs the plan of least energy, and what comes of cutting first, at 8 bits, down to a file of
// F1 bytes, and then choosing widths down to the budget. F1 goes from what the MACs alone ask for
// (0) to the budget itself (1: nothing is left to the widths) in equal ratios; `even` shares the
// saving of the file, as a ratio, equally. All by the same Hamiltonian, all carried out and judged
// on images that took part in nothing. One CSV row a plan.
//
//     adiabat_perf_splits MODEL DATA PREPROCESS.json IMAGES SEED 'file=B,macs=B;file=B,macs=B..'
//         KAPPA,TAU,RHO_CUTS,RHO_MIXED,RHO_WIDTHS

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "adiabat/pipeline/applied.h"
#include "adiabat/pipeline/deciding.h"
#include "adiabat/pipeline/mixes.perf.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {
namespace {

using plan::Budget;
using plan::Plan;
using plan::Quantity;

constexpr int kParts = 4;  // of the grid of splits

// The Hamiltonian, with all plans lifted far above those that agree with `fixed` in the cuts, or in
// the widths.
plan::Hamiltonian pinned(const Subject& subject, const sense::Effects& effects,
                         const plan::Interactions& mix, const Plan& fixed, bool cuts) {
    plan::Hamiltonian h = plan::measured_hamiltonian(subject.network(), effects, mix);
    auto& energy = std::get<qubo::Dense>(h.problem.form);
    const auto assignment = plan::encode(subject.network(), h.encoding, fixed);
    int groups = 0;
    for (size_t f = 0; f < subject.network().families(); ++f)
        groups += static_cast<int>(subject.network().groups(f));
    const double lift = 10 * effects.single.maxCoeff();
    for (int v = 0; v < h.encoding.variables; ++v) {
        const bool is_cut = v < groups;
        if (is_cut != cuts) continue;
        energy.add_linear(v, assignment[static_cast<size_t>(v)] ? -lift : lift);
    }
    return h;
}

int run(int argc, char** argv) {
    if (argc < 8) return 2;
    const auto seed = static_cast<uint64_t>(std::atoll(argv[5]));
    const Subject subject({.model = argv[1], .controls = {.keep_branches = true}}, no_progress());
    const plan::Network& network = subject.network();
    const Calibration images = read_case(subject, argv, seed);
    DecidingOptions how;
    how.sensing.seed = how.search.seed = seed;
    const Judge judge(subject, images.judging, how.sensing.temperature, {});
    const Sensed sensed = sense_effects(subject, images, how.sensing, {}, no_progress());
    const plan::Interactions mix = parse_interactions(argv[7]);
    const plan::Hamiltonian joint = plan::measured_hamiltonian(network, sensed.effects, mix);
    const Plan uncut = plan::uniform_plan(network, plan::kMaxBits);
    const auto decide = [&](const plan::Hamiltonian& h, const std::vector<Budget>& budgets) {
        return plan::decide(network, h, budgets, subject.costs(), how.search, {}).plan();
    };
    fmt::print("seed,budget,split,energy,divergence,top1,file,macs,groups_cut,mean_bits\n");
    const auto report = [&](const std::string& budget, const std::string& split, const Plan& plan) {
        const auto file = apply_plan(subject, plan, images.sensing.pixels, {}, no_progress());
        const Judgement found = judge.judge(file, "plan", {}, no_progress());
        const auto flags = plan::cut_flags(network, plan);
        double bits = 0;
        for (int b : plan.bits)
            bits += static_cast<double>(b) / static_cast<double>(plan.bits.size());
        fmt::print("{},\"{}\",{},{:.6g},{:.6g},{:.2f},{},{},{},{:.2f}\n", seed, budget, split,
                   joint.energy(network, plan), found.divergence, 100 * found.top1_after,
                   file.size(), plan::cost(network, plan).macs,
                   std::count(flags.begin(), flags.end(), 1), bits);
        std::fflush(stdout);
    };
    for (const std::string& budget : split(argv[6], ';')) {
        const std::vector<Budget> budgets = ask_budgets(subject, budget, no_progress()).budgets;
        report(budget, "joint", decide(joint, budgets));
        const auto cutting = pinned(subject, sensed.effects, mix, uncut, false);
        std::vector<Budget> macs;
        double goal = 0;
        for (const Budget& b : budgets) {
            if (b.quantity == Quantity::kFile) goal = static_cast<double>(b.limit);
            if (b.quantity != Quantity::kFile) macs.push_back(b);
        }
        const auto two_stages = [&](const std::string& name, double bytes) {
            std::vector<Budget> first = macs;
            first.push_back({Quantity::kFile, std::llround(bytes)});
            const Plan cut = decide(cutting, first);
            report(budget, name, decide(pinned(subject, sensed.effects, mix, cut, true), budgets));
        };
        const auto file_of = [&](const Plan& plan) {
            return static_cast<double>(subject.costs().cost(Quantity::kFile, plan));
        };
        const double alone = file_of(decide(cutting, macs)), whole = file_of(uncut);
        for (int part = 0; part <= kParts; ++part) {
            const double share = static_cast<double>(part) / kParts;
            two_stages(fmt::format("{:.2f}", share), alone * std::pow(goal / alone, share));
        }
        two_stages("even", std::min(alone, std::sqrt(whole * goal)));
    }
    return 0;
}

}  // namespace
}  // namespace adiabat::pipeline

int main(int argc, char** argv) {
    return adiabat::pipeline::in_main(adiabat::pipeline::run, argc, argv);
}
