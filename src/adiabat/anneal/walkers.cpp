// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/walkers.h"

#include "adiabat/anneal/constrained_walkers.h"
#include "adiabat/anneal/dense_walkers.h"
#include "adiabat/anneal/factored_walkers.h"
#include "adiabat/anneal/sparse_walkers.h"

namespace adiabat::anneal {

std::unique_ptr<const Model> make_model(const qubo::Problem& problem, int expected_replicas,
                                        const Watch& watch, Moves moves) {
    const auto* const dense = std::get_if<qubo::Dense>(&problem.form);
    if (dense && problem.constraints.empty()) return make_dense_model(*dense, watch, moves);
    if (!problem.constraints.empty() || moves == Moves::kPairs)
        return make_constrained_model(problem, watch, moves);
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form))
        return make_sparse_model(*sparse, expected_replicas);
    return make_factored_model(std::get<qubo::Factored>(problem.form), expected_replicas);
}

}  // namespace adiabat::anneal
