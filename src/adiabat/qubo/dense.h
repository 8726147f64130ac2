// SPDX-License-Identifier: Apache-2.0
#pragma once

// The quadratic binary problem with all its couplings:
//
//     E(x) = offset + sum_i h_i x_i + sum_{i<j} J_ij x_i x_j,    x_i in {0, 1}.
//
// J is stored whole, symmetric, row-major, with a zero diagonal (x^2 = x: a square is a linear
// term), so that a flip's effect on all local fields f_i = h_i + sum_j J_ij x_j is one contiguous
// row: 8 n^2 bytes, O(n) a flip, O(n^2) an energy. For problems in which most pairs interact.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/base/huge_pages.h"
#include "adiabat/base/stop.h"

namespace adiabat::qubo {

// coefficient * x_variable.
struct Term {
    int variable = 0;
    double coefficient = 0;

    bool operator==(const Term&) const = default;
};

class Dense {
  public:
    // All coefficients zero. Throws InputError unless 0 <= variables <= kMaxDenseVariables.
    explicit Dense(int variables = 0);

    int variables() const { return static_cast<int>(linear_.size()); }
    double offset() const { return offset_; }
    std::span<const double> linear() const { return linear_; }
    double linear(int i) const { return linear_[static_cast<size_t>(i)]; }
    double coupling(int i, int j) const { return couplings_[at(i, j)]; }
    // J_i0 .. J_i(n-1).
    std::span<const double> row(int i) const {
        return {couplings_.data() + at(i, 0), linear_.size()};
    }

    // Each adds to what is there. A coupling of a variable with itself is linear. Throw
    // InternalError for a variable out of range, InputError for a value that is not finite.
    void add_offset(double value);
    void add_linear(int i, double value);
    void add_coupling(int i, int j, double value);
    // J_ij += rows[i - first][j - i - 1] for the rows from `first` on and all j > i. A strip of
    // rows at once: its transposed half is then written in stretches. InternalError for rows of
    // other lengths, Interrupted where `stop` was requested before the end.
    void add_upper_rows(int first, std::span<const std::vector<double>> rows,
                        const StopToken& stop = {});
    // Adds weight * (constant + sum_k c_k x_k)^2; a variable may occur several times. O(terms^2).
    void add_squared(std::span<const Term> terms, double constant, double weight);

    // E of an assignment of n zeros and ones, summed in double in the order of the variables.
    // O(n^2).
    double energy(std::span<const uint8_t> x) const;
    // E of the assignment whose x_i is bit i; n <= 64.
    double energy_of_word(uint64_t word) const;
    // All local fields of an assignment. O(n^2).
    std::vector<double> fields(std::span<const uint8_t> x) const;
    // field += sign * row(i): what flipping x_i upwards (sign 1) or downwards (-1) does to the
    // fields. O(n).
    void add_row(int i, double sign, std::span<double> field) const;

    bool operator==(const Dense&) const = default;

  private:
    size_t at(int i, int j) const {
        return static_cast<size_t>(i) * linear_.size() + static_cast<size_t>(j);
    }
    void check(int i, double value) const;

    double offset_ = 0;
    std::vector<double> linear_;
    HugeVector<double> couplings_;
};

// 32,768 variables take 8.6 GB; beyond that a factored or sparse form is the better one.
inline constexpr int kMaxDenseVariables = 32768;

}  // namespace adiabat::qubo
