// SPDX-License-Identifier: Apache-2.0
#pragma once

// Small random problems with known optima, in memory and by way of a file of each format: what
// optima.test.cpp asks of a few techniques and optima.perf.cpp of all, a thousand times over.
//
// The optimum is that of the problem before it was written, by Gray's code over all assignments, so
// that a format that changes an energy is a miss as well. O(n 2^n).

#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/anneal/problems.test.h"
#include "adiabat/anneal/solve.h"
#include "adiabat/qubo/formats/random_problem.test.h"

namespace adiabat::anneal::testing {

inline constexpr int kMostVariables = 20;

// Efforts that suit such small problems; others run as they are with 16 reads.
inline SolveOptions small_effort(const std::string& name) {
    SolveOptions options;
    options.technique = name;
    options.threads = 1;
    const std::map<std::string, std::pair<int, std::map<std::string, std::string>>> efforts = {
        {"annealing", {16, {{"sweeps", "200"}}}},
        {"tempering", {4, {{"sweeps", "200"}, {"temperatures", "8"}}}},
        {"population", {64, {{"sweeps", "5"}, {"steps", "20"}}}},
        {"quantum-annealing", {16, {{"sweeps", "100"}, {"slices", "8"}}}},
        {"bifurcation", {32, {{"sweeps", "200"}}}},
        {"digital", {8, {}}},
        {"memetic", {4, {{"generations", "10"}, {"population", "6"}}}},
        {"descent", {200, {}}},
        {"genetic", {16, {{"generations", "40"}, {"population", "40"}}}},
    };
    if (const auto found = efforts.find(name); found != efforts.end()) {
        options.reads = found->second.first;
        options.values = found->second.second;
    }
    return options;
}

// Infinity where no assignment keeps the constraints.
inline double optimum_of(const qubo::Problem& problem) {
    const int n = problem.variables();
    const std::vector<uint8_t> zeros(static_cast<size_t>(n), 0);
    LocalFields state(problem, zeros);
    std::optional<ConstraintState> constraints;
    if (!problem.constraints.empty()) constraints.emplace(problem.constraints, n);
    double lowest = std::numeric_limits<double>::infinity();
    for (uint64_t k = 1;; ++k) {
        if (!constraints || constraints->keeps()) lowest = std::min(lowest, state.energy());
        if (k == uint64_t{1} << n) return lowest;
        state.flip(std::countr_zero(k));
        if (constraints) constraints->flip(std::countr_zero(k));
    }
}

// Where a problem comes from: memory, in one form, or a file.
struct Origin {
    std::string name;
    std::optional<Form> form = {};
    std::optional<qubo::Format> format = {};
    bool constrained = false;  // a budget and two groups; lp and json alone hold them
};

inline std::vector<Origin> origins() {
    std::vector<Origin> all = {
        {"dense", Form::kDense}, {"sparse", Form::kSparse}, {"factored", Form::kFactored}};
    for (const qubo::Format format : qubo::kFormats)
        all.push_back({qubo::name_of(format), {}, format});
    for (const qubo::Format format : {qubo::Format::kLp, qubo::Format::kOwnJson})
        all.push_back({std::string(qubo::name_of(format)) + "+c", {}, format, true});
    return all;
}

struct Known {
    qubo::Problem problem;  // as read
    double optimum = 0;     // of what was written
};

// The k-th problem of an origin: 1 to 20 variables; from files, every form in turn.
inline Known known_problem(const Origin& origin, int k) {
    const int n = 1 + k % kMostVariables;
    const uint64_t seed = 5000 + static_cast<uint64_t>(k);
    qubo::Problem problem = random_problem(origin.form.value_or(kForms[k % 3]), n, seed);
    if (origin.constrained) problem.constraints = random_constraints(n, seed);
    if (!origin.format) {
        const double optimum = optimum_of(problem);
        return {std::move(problem), optimum};
    }
    problem = qubo::fitted(std::move(problem), *origin.format);
    return {qubo::there_and_back(problem, *origin.format), optimum_of(problem)};
}

// Whether a technique does not find it, or what it finds is not what it says or breaks constraints.
inline bool misses(const std::string& technique, const Known& known) {
    SolveOptions options = small_effort(technique);
    const bool natively = anneal::technique(technique).budgets == Keeps::kNatively;
    if (!known.problem.constraints.empty() && !natively) options.reads *= 4;  // harder
    const SolveResult result = solve(known.problem, options);
    const Solution& found = result.lowest.front();
    return std::abs(found.energy - known.optimum) > 1e-9 * (1 + std::abs(known.optimum)) ||
           std::abs(known.problem.energy(found.x) - found.energy) > 1e-9 ||
           !known.problem.constraints.keeps(found.x);
}

}  // namespace adiabat::anneal::testing
