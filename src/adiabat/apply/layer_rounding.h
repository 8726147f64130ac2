// SPDX-License-Identifier: Apache-2.0
#pragma once

// The weights of a layer rounded, in one of the ways of rounding.h, and whether the anneal holds on
// other images.
//
// For `qubo` a few filters of the layer are rounded both ways under the moments of one half of the
// images and judged under those of the other, and again with the halves changed over; where the
// anneal is worse there, in sum, the layer keeps the codes in order. O(the rounding of
// kMostJudged filters), twice.

#include "adiabat/apply/rounding.h"
#include "adiabat/base/stop.h"
#include "adiabat/recon/moments.h"
#include "adiabat/recon/ordered_rounding.h"

namespace adiabat::apply {

// Filters of a layer that are judged, evenly spaced.
inline constexpr Eigen::Index kMostJudged = 16;

// Squared errors under the moments, sums over the filters.
struct RoundingReport {
    int64_t filters = 0;
    int64_t lower = 0;                           // filters whose error the anneal lowered
    int64_t annealed = 0;                        // filters of layers in which the anneal was taken
    double ordered = 0;                          // before the anneal
    double error = 0;                            // of what was taken
    double judged_ordered = 0, judged_qubo = 0;  // of those judged, on the other half of the images

    void add(const RoundingReport& other);
};

// `halves` are those of task.moments; where there are none, nothing is judged and nothing annealed.
recon::RoundedFilters rounded(Rounding rounding, const recon::RoundingTask& task,
                              const recon::Halves& halves, RoundingReport& report,
                              const StopToken& stop = {});

}  // namespace adiabat::apply
