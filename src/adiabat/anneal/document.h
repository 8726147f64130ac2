// SPDX-License-Identifier: Apache-2.0
#pragma once

// Results as documents: JSON that holds all there is to say, CSV that plots are made from.
//
// Assignments are strings of 0 and 1 (states.h). Infinite times are null in JSON and
// "inf" in CSV.

#include <optional>
#include <string>
#include <vector>

#include "adiabat/anneal/compare.h"
#include "adiabat/anneal/solve.h"
#include "adiabat/anneal/time_to_target.h"
#include "adiabat/base/json.h"

namespace adiabat::anneal {

// No assignment that keeps the constraints has a lower energy.
struct Certificate {
    double bound = 0;
    std::string method;  // "convex", "roof duality", a technique's name
    double seconds = 0;  // that it took; 0 where it came with the result
    // energy_tolerance() of the problem; where it is not known, a pass over all coefficients.
    std::optional<double> tolerance = {};
};

// "lower bound -12.3 (convex), gap 4.1 %", "optimal, proven (branch-and-bound)", "no lower bound".
// The gap is (energy - bound) / |energy|; in absolute numbers where the energy is zero.
std::string gap_text(const qubo::Problem& problem, double energy,
                     const std::optional<Certificate>& certificate);
Json gap_json(const qubo::Problem& problem, double energy,
              const std::optional<Certificate>& certificate);

enum class Samples { kLowest, kBest, kLast };  // different ones; of each read: its best, its last

struct DocumentOptions {
    SolveOptions solve;  // as given; success is judged at its target
    std::optional<Certificate> certificate = {};
    Samples samples = Samples::kLowest;
};

// {"technique": .., "values": .., "reads": .., ..}; `values` as used, where they are known.
Json options_json(const SolveOptions& options, const Json& values = nullptr);

Json solutions_json(const std::vector<Solution>& solutions);
// Form, sizes, constraints.
Json problem_json(const qubo::Problem& problem);
Json result_json(const qubo::Problem& problem, const SolveResult& result,
                 const DocumentOptions& options);
Json comparison_json(const qubo::Problem& problem, const Comparison& comparison,
                     const std::optional<Certificate>& certificate);
Json ladder_json(const Ladder& ladder);

// With a line of titles each.
std::string solutions_csv(const std::vector<Solution>& solutions);
std::string comparison_csv(const Comparison& comparison);
std::string ladder_csv(const Ladder& ladder);

}  // namespace adiabat::anneal
