// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/simulated_annealing_naive.h"

#include "adiabat/anneal/steepest_descent.h"

namespace adiabat::anneal {

Annealed minimize_by_annealing_naively(const qubo::Dense& problem,
                                       const AnnealingOptions& options) {
    Annealed result;
    result.range = check_annealing_options(problem, options);
    const double tolerance = energy_tolerance(problem);
    std::vector<ReplicaStates> states;
    for (uint32_t replica = 0; replica < static_cast<uint32_t>(options.replicas); ++replica) {
        auto x = options.initial.empty() ? random_start(problem.variables(), options.seed, replica)
                                         : options.initial;
        double energy = problem.energy(x), best_energy = energy;
        auto best = x;
        for (int64_t sweep = 0; sweep < options.sweeps; ++sweep) {
            const double beta = beta_at(result.range, sweep, options.sweeps);
            for (uint32_t i = 0; i < x.size(); ++i) {
                const auto words =
                    proposal_words(options.seed, replica, static_cast<uint32_t>(sweep), i / 4);
                x[i] ^= 1;
                const double proposed = problem.energy(x);
                if (!accepts(beta * (proposed - energy), words[i % 4])) {
                    x[i] ^= 1;
                    continue;
                }
                energy = proposed;
                ++result.flips;
                if (energy < best_energy - tolerance) {
                    best_energy = energy;
                    best = x;
                }
            }
            ++result.sweeps;
        }
        states.push_back({std::move(best), std::move(x)});
    }
    collect(problem, std::move(states), options.keep, /*complete=*/true, result);
    return result;
}

}  // namespace adiabat::anneal
