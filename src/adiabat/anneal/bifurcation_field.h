// SPDX-License-Identifier: Apache-2.0
#pragma once

// The field of the Ising problem, g_i(s) = h_i + sum_j J_ij s_j, for several real vectors s at
// once: a product of the coupling matrix with a few columns, which reads the matrix once for all of
// them.
//
// h_i = h^x_i / 2 + sum_j J^x_ij / 4 and J = J^x / 4 of the binary problem (qubo/ising.h). Single
// precision: what uses it is a dynamical system, no energy comes from here. Every column is summed
// in the order of the variables whatever the number of columns and the instruction set. O(n^2)
// dense, O(nonzeros) sparse, O(n (rank + block)) factored, a column.

#include <cstdint>
#include <memory>
#include <span>

#include "adiabat/anneal/watch.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

inline constexpr int kMostColumns = 8;

class IsingField {
  public:
    virtual ~IsingField() = default;
    // `s` and `field` are variables x columns, row-major; columns is 4 or 8. False where the watch
    // was over before all was done: a large dense product takes a tenth of a second.
    virtual bool apply(std::span<const float> s, int columns, std::span<float> field,
                       const Watch& watch) const = 0;
    // Linear terms h_i.
    virtual std::span<const float> linear() const = 0;
    // Elementary operations of one column, roughly.
    virtual int64_t work() const = 0;
    virtual uint64_t memory_bytes() const = 0;
};

// Keeps a reference to `problem`. O(n^2) dense; null where the watch was over before it was made.
std::unique_ptr<const IsingField> make_ising_field(const qubo::Problem& problem,
                                                   const Watch& watch);
// What memory_bytes() will be.
uint64_t ising_field_bytes(const qubo::Problem& problem);

// sum over i != j of J_ij^2 plus 2 sum h_i^2: the squared size of the couplings where the linear
// terms are couplings to one more spin. Factored: estimated from 8 random vectors, E |Jz|^2.
double ising_size_squared(const qubo::Problem& problem, const IsingField& field,
                          const Watch* watch = nullptr);

// The largest eigenvalue of J, from below and to some ten percent: power iteration from four random
// vectors, first for the largest in size, then on J shifted by that. 40 products; fewer, and a
// smaller answer, where the watch is over.
double ising_largest_eigenvalue(const IsingField& field, const Watch& watch);

}  // namespace adiabat::anneal
