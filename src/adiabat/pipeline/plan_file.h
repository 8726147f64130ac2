// SPDX-License-Identifier: Apache-2.0
#pragma once

// Plans as documents: written and read again, exactly.
//
//   "plan"      one row a layer: its name, bits, and the numbers of the filters that are cut
//   "dropped"   names of the residual branches that go whole (of their additions), whose layers
//               have 0 bits; only where there are any
//   "also_cut"  what goes and is on no layer's filter axis (a ConvTranspose's channels, say): the
//               parameter's name, the axis, the indices; only where there is any
//
// Reading is strict: every layer once, channels that must go together all or none, nothing that the
// network or the user's controls do not allow; each breach is one InputError that names file and
// layer and says what would be right. O(filters of all layers).

#include <filesystem>
#include <string>

#include "adiabat/base/json.h"
#include "adiabat/base/progress.h"
#include "adiabat/pipeline/subject.h"
#include "adiabat/plan/plan.h"

namespace adiabat::pipeline {

// Adds "plan" and, where needed, "dropped" and "also_cut".
void add_plan(Json& document, const net::Graph& graph, const plan::Network& network,
              const plan::Plan& plan);

// The plan that a document holds; `where` begins messages.
plan::Plan plan_from_json(const net::Graph& graph, const plan::Network& network,
                          const Json& document, const std::string& where);

// A document of its own: {"adiabat", "kind": "plan", "model", "plan", ..}.
Json plan_document(const Subject& subject, const plan::Plan& plan);

struct PlanFile {
    plan::Plan plan;
    Json document;  // of a run's "plan_from": {"path", "kind": "run" or "plan", "sha256"}
};

// A file of plan_document() or a run's document. That it was made for another model is said.
PlanFile read_plan(const Subject& subject, const std::filesystem::path& path,
                   ProgressSink& progress);

}  // namespace adiabat::pipeline
