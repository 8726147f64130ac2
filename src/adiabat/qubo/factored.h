// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quadratic binary problem in factored form: what a problem of measured effects is by nature.
//
//     E(x) = offset + sum_i h_i x_i + sum_B x_B' M_B x_B + sum_k w_k (b_k + a_k.x)^2
//
// M_B are symmetric dense blocks on runs of variables that do not overlap (a network's layers); the
// squares hold low-rank terms x'U S U'x (S diagonalized when added) and squared linear forms such
// as a budget, which is rank one and never expanded. 8 n r bytes for r squares; with z_k = b_k +
// a_k.x at hand a local field costs O(r + block), a flip O(r).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/qubo/dense.h"

namespace adiabat::qubo {

// M on variables first .. first + size - 1, row-major, symmetric with a zero diagonal.
struct DenseBlock {
    int first = 0, size = 0;
    std::vector<double> values;

    bool operator==(const DenseBlock&) const = default;
};

class Factored {
  public:
    // Throws InputError unless 0 <= variables <= kMaxFactoredVariables.
    explicit Factored(int variables = 0);

    int variables() const { return static_cast<int>(linear_.size()); }
    int rank() const { return static_cast<int>(weights_.size()); }
    double offset() const { return offset_; }
    std::span<const double> linear() const { return linear_; }
    double linear(int i) const { return linear_[static_cast<size_t>(i)]; }
    // Of the squares: w, b, and row i of the n x r matrix whose columns are the a_k.
    std::span<const double> weights() const { return weights_; }
    std::span<const double> constants() const { return constants_; }
    std::span<const double> row(int i) const {
        return {columns_.data() + static_cast<size_t>(i) * weights_.size(), weights_.size()};
    }
    const std::vector<DenseBlock>& blocks() const { return blocks_; }
    // The block that holds variable i, or null.
    const DenseBlock* block_of(int i) const;

    // Each adds to what is there; InputError for values that are not finite, blocks that overlap or
    // are not symmetric.
    void add_offset(double value);
    void add_linear(int i, double value);
    // x'Mx on the run from `first`; `matrix` is size x size, its diagonal becomes linear.
    void add_block(int first, int size, std::span<const double> matrix);
    // x'U S U'x; U is n x r, S r x r symmetric, both row-major. O(n r^2 + r^3).
    void add_low_rank(std::span<const double> u, std::span<const double> s);
    // weight * (constant + sum_k c_k x_k)^2; a variable may occur several times.
    void add_squared(std::span<const Term> terms, double constant, double weight);
    // Several squares at once: `columns` is n x r row-major.
    void add_squares(std::span<const double> columns, std::span<const double> constants,
                     std::span<const double> weights);

    // J_ij of the same problem written with h and J. O(rank + 1).
    double coupling(int i, int j) const;
    double energy(std::span<const uint8_t> x) const;
    // Fields f_i with dE = (1 - 2 x_i) f_i, as if the problem were dense. O(n (rank + block)).
    std::vector<double> fields(std::span<const uint8_t> x) const;
    // field += sign * row i of the dense J. O(n rank).
    void add_row(int i, double sign, std::span<double> field) const;
    // The same problem with all couplings. O(n^2 rank); throws InputError beyond
    // kMaxDenseVariables.
    Dense dense() const;

    bool operator==(const Factored&) const = default;

  private:
    double offset_ = 0;
    std::vector<double> linear_;
    std::vector<DenseBlock> blocks_;  // ascending
    std::vector<int> block_;          // of each variable, -1 where there is none
    std::vector<double> weights_, constants_, columns_;
};

inline constexpr int kMaxFactoredVariables = 10'000'000;

}  // namespace adiabat::qubo
