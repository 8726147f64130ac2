// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/walkers.h"

#include "adiabat/anneal/constrained_walkers.h"
#include "adiabat/anneal/dense_walkers.h"

namespace adiabat::anneal {

std::unique_ptr<const Model> make_model(const qubo::Problem& problem, int, const Watch& watch,
                                        Moves moves) {
    const auto* const dense = std::get_if<qubo::Dense>(&problem.form);
    if (dense && problem.constraints.empty()) return make_dense_model(*dense, watch, moves);
    return make_constrained_model(problem, watch, moves);
}

}  // namespace adiabat::anneal
