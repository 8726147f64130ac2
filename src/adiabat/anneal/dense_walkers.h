// SPDX-License-Identifier: Apache-2.0
#pragma once

// Walkers (walkers.h) over a dense problem: rows in fixed point, one replica after another
// (kernels/dense_rows.h). 4 n^2 bytes, 2 n^2 where the coefficients are small whole numbers.

#include <memory>
#include <span>
#include <vector>

#include "adiabat/anneal/walkers.h"

namespace adiabat::anneal {

// Null where the watch was over before the rows were made.
std::unique_ptr<const Model> make_dense_model(const qubo::Dense& problem, const Watch& watch,
                                              Moves moves);

// A model whose replicas each have linear terms of their own (batch.h): replica r of the walkers
// has linear[numbers[r]]. The unit is one in which all of them fit.
class DenseBatchModel {
  public:
    virtual ~DenseBatchModel() = default;
    virtual std::unique_ptr<Walkers> walkers(std::span<const int> numbers, uint64_t seed,
                                             uint32_t first_replica) const = 0;
};
std::unique_ptr<const DenseBatchModel> make_dense_batch_model(
    const qubo::Dense& couplings, std::span<const std::vector<double>> linear, const Watch& watch);

}  // namespace adiabat::anneal
