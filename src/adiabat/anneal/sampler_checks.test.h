// SPDX-License-Identifier: Apache-2.0
#pragma once

// Every Monte Carlo sweep of every technique, on every form of problem that it has code of its own
// for: the rows that boltzmann.test.cpp runs as tests and boltzmann.perf.cpp prints.

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/anneal/sampler_p_values.test.h"

namespace adiabat::anneal::testing {

// What unit tests run of a row, so that they stay short; the program runs all of it.
enum class Tested { kNot, kSound, kSoundAndWrong };

// A sampler and a problem.
struct SamplerCheck {
    struct Wrong {
        const char* what;
        Spoiled spoiled;
    };

    std::string technique, problem;
    Tested tested;
    // The p-value of so many samples from the sampler, spoiled in this way.
    std::function<double(const Effort&, const Spoiled&)> p_value;
    std::vector<Wrong> wrong = {{"beta 2 % off", {.beta = 1.02}}};  // ways that must be seen

    // For messages of tests.
    friend void PrintTo(const SamplerCheck& check, std::ostream* out) {
        *out << check.technique << ", " << check.problem;
    }
};

inline const char* name_of(Form form) {
    return form == Form::kDense ? "dense" : form == Form::kSparse ? "sparse" : "factored";
}

// Five variables, seven where there are constraints: at beta 0.8 no state is rare.
inline qubo::Problem small_problem(Form form, bool constrained) {
    constexpr int kFree = 5, kConstrained = 7;
    qubo::Problem problem = random_problem(form, constrained ? kConstrained : kFree, 11);
    if (constrained) problem.constraints = random_constraints(kConstrained, 11);
    return problem;
}

// A ring with fields: clusters of differing variables are seldom the whole set.
inline qubo::Problem ring_problem(int n) {
    std::vector<qubo::Edge> edges;
    std::vector<double> linear;
    for (int i = 0; i < n; ++i) {
        edges.push_back({i, (i + 1) % n, i % 2 ? 3.0 : -2.0});
        linear.push_back(i % 3 - 1.0);
    }
    return {qubo::Sparse(n, edges, std::move(linear))};
}

inline void add_walks(std::vector<SamplerCheck>& checks, Moves moves) {
    const bool flips = moves == Moves::kFlips;
    const auto add = [&](const std::string& name, const qubo::Problem& problem, Tested tested) {
        checks.push_back({flips ? "annealing" : "annealing, pairs", name, tested,
                          [problem, moves](const Effort& effort, const Spoiled& spoiled) {
                              return annealing_p_value(problem, moves, effort, spoiled);
                          }});
    };
    // Pairs have code of their own for dense problems, and for all others with constraints.
    const Tested others = flips ? Tested::kSound : Tested::kNot;
    add("dense", small_problem(Form::kDense, false), Tested::kSound);
    add("sparse", small_problem(Form::kSparse, false),
        flips ? Tested::kSoundAndWrong : Tested::kSound);
    add("factored", small_problem(Form::kFactored, false), others);
    add("dense, whole numbers", {qubo::random_integer(5, 2)}, Tested::kSoundAndWrong);
    add("sparse, whole numbers", ring_problem(5), others);
    add("dense, constraints", small_problem(Form::kDense, true), Tested::kSound);
    add("sparse, constraints", small_problem(Form::kSparse, true), others);
    add("factored, constraints", small_problem(Form::kFactored, true), others);
}

inline void add_tempering(std::vector<SamplerCheck>& checks) {
    const auto add = [&](const char* name, const qubo::Problem& problem, int copies) {
        checks.push_back({"tempering", name, copies == 2 ? Tested::kSoundAndWrong : Tested::kSound,
                          [problem, copies](const Effort& effort, const Spoiled& spoiled) {
                              return tempering_p_value(problem, copies, effort, spoiled);
                          }});
        checks.back().wrong.push_back({"exchanges without acceptance", {.energy = 0}});
        if (copies == 2) checks.back().wrong.push_back({"lone clusters", {.lone_flips = true}});
    };
    add("dense", small_problem(Form::kDense, false), 1);
    add("sparse, two copies", ring_problem(5), 2);
    add("factored", small_problem(Form::kFactored, false), 1);
    add("dense, constraints", small_problem(Form::kDense, true), 1);
}

inline void add_population(std::vector<SamplerCheck>& checks, const char* schedule) {
    const auto add = [&](const std::string& name, const qubo::Problem& problem, Tested tested) {
        checks.push_back({"population", name + ", " + schedule, tested,
                          [problem, schedule](const Effort& effort, const Spoiled& spoiled) {
                              return population_p_value(problem, schedule, effort, spoiled);
                          }});
    };
    add("dense", small_problem(Form::kDense, false), Tested::kNot);
    add("sparse", small_problem(Form::kSparse, false),
        schedule == std::string("geometric") ? Tested::kSoundAndWrong : Tested::kSound);
    add("factored", small_problem(Form::kFactored, false), Tested::kNot);
    add("constraints", small_problem(Form::kDense, true), Tested::kNot);
}

inline void add_slices(std::vector<SamplerCheck>& checks) {
    const auto add = [&](const char* name, const qubo::Problem& problem, int slices) {
        checks.push_back({"quantum-annealing", name,
                          slices == 7 ? Tested::kSoundAndWrong : Tested::kSound,
                          [problem, slices](const Effort& effort, const Spoiled& spoiled) {
                              return slices_p_value(problem, slices, effort, spoiled);
                          }});
    };
    add("dense, 3 slices", random_problem(Form::kDense, 3, 5), 3);
    add("sparse, 3 slices", random_problem(Form::kSparse, 3, 5), 3);
    add("factored, 3 slices", random_problem(Form::kFactored, 3, 5), 3);
    add("dense, 2 slices", {qubo::random_dense(4, 5)}, 2);
    add("dense, 7 slices", {qubo::random_dense(1, 5)}, 7);
}

inline std::vector<SamplerCheck> sampler_checks() {
    std::vector<SamplerCheck> checks;
    add_walks(checks, Moves::kFlips);
    add_walks(checks, Moves::kPairs);
    checks.push_back({"annealing, batch", "dense", Tested::kSound, batch_p_value});
    add_tempering(checks);
    add_population(checks, "geometric");
    add_population(checks, "adaptive");
    add_slices(checks);
    return checks;
}

}  // namespace adiabat::anneal::testing
