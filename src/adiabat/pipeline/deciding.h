// SPDX-License-Identifier: Apache-2.0
#pragma once

// The Hamiltonian that a run decides by, and the decision.

#include "adiabat/base/json.h"
#include "adiabat/pipeline/calibration.h"
#include "adiabat/pipeline/deciding_options.h"
#include "adiabat/pipeline/sensing.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/plan/decide.h"
#include "adiabat/plan/hamiltonian.h"
#include "adiabat/sense/effects.h"

namespace adiabat::pipeline {

// What there is to decide by, from sensed effects (none for l1).
struct Weighed {
    plan::Hamiltonian hamiltonian;
    sense::Effects effects;
    Json sensing;  // null for l1
};

// Of sensed effects, measured or separable as the options say.
plan::Hamiltonian hamiltonian_of(const Subject& subject, const sense::Effects& effects,
                                 const DecidingOptions& options);

// Throws InputError where weights of pairs are asked for that the problem cannot hold.
Weighed weigh(const Subject& subject, const Calibration& images, const DecidingOptions& options,
              StopToken stop, ProgressSink& progress);

// Of the run's "problem".
Json to_json(const Weighed& weighed, const DecidingOptions& options,
             const plan::Decision& decision);

}  // namespace adiabat::pipeline
