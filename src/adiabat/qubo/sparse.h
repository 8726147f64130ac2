// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quadratic binary problem in which most pairs do not interact:
//
//     E(x) = offset + sum_i h_i x_i + sum_{i<j} J_ij x_i x_j,    x_i in {0, 1},
//
// J held in compressed sparse rows, both triangles, columns ascending: 12 bytes a nonzero,
// O(degree) a flip, O(n + nonzeros) an energy. Built once from a list of edges.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/base/huge_pages.h"
#include "adiabat/base/stop.h"

namespace adiabat::qubo {

// value * x_i x_j; i = j is a linear term.
struct Edge {
    int i = 0, j = 0;
    double value = 0;
};

class Sparse {
  public:
    Sparse() = default;
    // Edges in any order and either direction; those of one pair add up, sums of exactly zero are
    // dropped. O(n + edges log degree). Throws InputError where 0 <= variables <=
    // kMaxSparseVariables does not hold or a value is not finite, InternalError for a variable out
    // of range, Interrupted where `stop` was requested before the end.
    Sparse(int variables, std::span<const Edge> edges, std::vector<double> linear = {},
           double offset = 0, const StopToken& stop = {});

    int variables() const { return static_cast<int>(linear_.size()); }
    double offset() const { return offset_; }
    std::span<const double> linear() const { return linear_; }
    double linear(int i) const { return linear_[static_cast<size_t>(i)]; }
    // The variables that i interacts with, ascending, and J_ij in the same order.
    std::span<const int> neighbors(int i) const { return {columns_.data() + begin(i), degree(i)}; }
    std::span<const double> couplings(int i) const {
        return {values_.data() + begin(i), degree(i)};
    }
    size_t degree(int i) const { return begin(i + 1) - begin(i); }
    // Pairs that interact.
    size_t pairs() const { return columns_.size() / 2; }
    double coupling(int i, int j) const;

    // E of n zeros and ones, summed in double in the order of the variables.
    double energy(std::span<const uint8_t> x) const;
    // All local fields h_i + sum_j J_ij x_j.
    std::vector<double> fields(std::span<const uint8_t> x) const;
    // field += sign * row(i). O(degree).
    void add_row(int i, double sign, std::span<double> field) const;

    bool operator==(const Sparse&) const = default;

  private:
    size_t begin(int i) const { return starts_[static_cast<size_t>(i)]; }

    double offset_ = 0;
    std::vector<double> linear_;
    std::vector<size_t> starts_ = {0};
    HugeVector<int> columns_;
    HugeVector<double> values_;
};

inline constexpr int kMaxSparseVariables = 100'000'000;

}  // namespace adiabat::qubo
