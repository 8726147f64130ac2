// SPDX-License-Identifier: Apache-2.0
#pragma once

// All assignments of a few variables at once: the innermost loop of exhaustive search and of branch
// and bound.
//
//     e(word) = sum_{i<j} J_ij x_i x_j + sum_i f_i x_i,    x_i = bit i of word,  i < bits <= 8.
//
// The pairs' part is a table made once; the fields' part is built by doubling (the words with bit k
// are those without it plus f_k): two additions and a comparison a word, no branches. Rows of
// constraints are tables likewise; a row that holds for all words of the block or for none costs
// two comparisons.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/anneal/interval_rows.h"

namespace adiabat::anneal {

class BlockTable {
  public:
    static constexpr int kMostBits = 8;
    using Energies = std::array<double, size_t{1} << kMostBits>;

    // `couplings`: bits x bits, symmetric; `rows`: the constraints, and what each adds for each of
    // the variables, rows x bits. Both row-major.
    BlockTable(int bits, std::span<const double> couplings, std::span<const IntervalRow> rows,
               std::span<const double> coefficients);

    int bits() const { return bits_; }
    size_t words() const { return size_t{1} << bits_; }
    // Fills the energies of all words, infinity where a row breaks; `row_values` are the rows'
    // sums over all other variables. Returns the lowest, infinity where no word keeps the rows.
    double fill(std::span<const double> fields, std::span<const double> row_values,
                Energies& energies) const;
    // The first word whose energy is `lowest`.
    uint32_t find(const Energies& energies, double lowest) const;

  private:
    struct Row {
        double lower, upper;  // of the constraint
        double least, most;   // of the table
        std::vector<double> sums;
    };

    int bits_;
    std::vector<double> pairs_;
    std::vector<Row> rows_;
};

}  // namespace adiabat::anneal
