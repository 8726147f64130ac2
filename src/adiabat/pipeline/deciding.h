// SPDX-License-Identifier: Apache-2.0
#pragma once

// The Hamiltonian that a run decides by, and the decision.

#include <string>
#include <vector>

#include "adiabat/base/json.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/sensing.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/plan/decide.h"
#include "adiabat/plan/measured.h"

namespace adiabat::pipeline {

// measured: sensed effects and their interactions. separable: the same effects, as if they added
// up. l1: from the weights alone.
enum class HamiltonianKind { kMeasured, kSeparable, kL1 };
std::string_view name_of(HamiltonianKind kind);
HamiltonianKind parse_hamiltonian(std::string_view text);

struct DecidingOptions {
    HamiltonianKind hamiltonian = HamiltonianKind::kMeasured;
    SensingOptions sensing = {};
    plan::Interactions interactions = {};
    double beta = 1;  // of l1
    plan::DecideOptions search = {};
};

// What there is to decide by, from sensed effects (none for l1).
struct Weighed {
    plan::Hamiltonian hamiltonian;
    sense::Effects effects;
    Json sensing;  // null for l1
};

Weighed weigh(const Subject& subject, const Calibration& images, const DecidingOptions& options,
              StopToken stop, ProgressSink& progress);

// Of the run's "problem".
Json to_json(const Weighed& weighed, const DecidingOptions& options,
             const plan::Decision& decision);

}  // namespace adiabat::pipeline
