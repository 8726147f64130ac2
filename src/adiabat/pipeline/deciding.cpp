// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/deciding.h"

#include <fmt/format.h>

#include "adiabat/base/units.h"
#include "adiabat/plan/l1.h"
#include "adiabat/plan/measured.h"
#include "adiabat/sense/weight_effects.h"

namespace adiabat::pipeline {

namespace {

// The factored form of the problem has no pairs with widths (plan/measured.h).
void refuse_pairs_with_widths(const sense::Effects& effects, const plan::Interactions& asked) {
    if (effects.products.size() > 0 || (asked.rho_mixed == 0 && asked.rho_widths == 0)) return;
    const bool both = asked.rho_mixed > 0 && asked.rho_widths > 0;
    const char* const name = both                  ? "--rho-mixed and --rho-widths"
                             : asked.rho_mixed > 0 ? "--rho-mixed"
                                                   : "--rho-widths";
    const int64_t rows = effects.factor.rows(), columns = effects.columns();
    if (columns > rows) {
        throw InputError(
            "{}: pairs with widths do not count where candidates ({}) are more than sensed rows "
            "({}): expected 0, or more --images",
            name, format_count(columns), format_count(rows));
    }
    throw InputError(
        "{}: pairs with widths do not count where candidates are so many ({}): "
        "expected 0",
        name, format_count(columns));
}

}  // namespace

std::string_view name_of(HamiltonianKind kind) {
    switch (kind) {
        case HamiltonianKind::kMeasured:
            return "measured";
        case HamiltonianKind::kSeparable:
            return "separable";
        case HamiltonianKind::kL1:
            return "l1";
    }
    return "";
}

HamiltonianKind parse_hamiltonian(std::string_view text) {
    for (HamiltonianKind kind :
         {HamiltonianKind::kMeasured, HamiltonianKind::kSeparable, HamiltonianKind::kL1}) {
        if (text == name_of(kind)) return kind;
    }
    throw InputError("--hamiltonian: unknown `{}`: it must be measured, separable or l1", text);
}

plan::Hamiltonian hamiltonian_of(const Subject& subject, const sense::Effects& effects,
                                 const DecidingOptions& options) {
    const bool separable = options.hamiltonian == HamiltonianKind::kSeparable;
    plan::Hamiltonian hamiltonian = plan::measured_hamiltonian(
        subject.network(), effects, separable ? plan::Interactions::none() : options.interactions);
    hamiltonian.name = name_of(options.hamiltonian);
    return hamiltonian;
}

Weighed weigh(const Subject& subject, const Calibration& images, const DecidingOptions& options,
              StopToken stop, ProgressSink& progress) {
    const plan::Network& network = subject.network();
    Weighed weighed;
    if (options.hamiltonian == HamiltonianKind::kL1) {
        const auto effects =
            sense::weight_effects(subject.graph(), network.layers, subject.options().threads, stop);
        weighed.hamiltonian = plan::L1Problem(network, effects, options.beta).hamiltonian();
        return weighed;
    }
    Sensed sensed = sense_effects(subject, images, options.sensing, stop, progress);
    weighed.effects = std::move(sensed.effects);
    weighed.sensing = std::move(sensed.document);
    if (options.hamiltonian == HamiltonianKind::kMeasured)
        refuse_pairs_with_widths(weighed.effects, options.interactions);
    weighed.hamiltonian = hamiltonian_of(subject, weighed.effects, options);
    return weighed;
}

Json to_json(const Weighed& weighed, const DecidingOptions& options,
             const plan::Decision& decision) {
    Json json = {{"hamiltonian", weighed.hamiltonian.name},
                 {"variables", weighed.hamiltonian.encoding.variables},
                 {"multiplier", decision.multiplier},
                 {"anneals", decision.anneals},
                 {"accepted_flips", decision.flips},
                 {"proposals", decision.proposals},
                 {"start_energy", decision.start_energy},
                 {"energy", decision.energy()},
                 {"different_plans", decision.plans.size()}};
    if (options.hamiltonian == HamiltonianKind::kL1) json["beta"] = options.beta;
    if (options.hamiltonian == HamiltonianKind::kMeasured) {
        const plan::Interactions& i = options.interactions;
        json["interactions"] = {{"kappa", i.kappa},
                                {"tau", i.tau},
                                {"rho_cuts", i.rho_cuts},
                                {"rho_mixed", i.rho_mixed},
                                {"rho_widths", i.rho_widths},
                                {"rho_branches", i.rho_branches},
                                {"rho_residual", i.rho_residual},
                                {"shares", i.shares}};
    }
    return json;
}

}  // namespace adiabat::pipeline
