// SPDX-License-Identifier: Apache-2.0
#pragma once

// The least sum of functions of few variables each: variables are eliminated one by one.
//
//   m(rest) = min over v of the sum of all functions that v occurs in,    in their place
//
// Variables take 0 .. size - 1. The order is greedy: what makes the smallest table goes first. In
// networks whose layers hang on few residual streams tables stay as small as those of layers, and
// the minimum is exact. Where a table would have more than `most` values, a variable is eliminated
// from parts of its functions, each for itself: a lower bound. O(sum over eliminated variables of
// the table's size x the variable's). Sources: U. Bertele, F. Brioschi, "Nonserial dynamic
// programming" (1972); R. Dechter, I. Rish, "Mini-buckets" (2003) for the parts.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

namespace adiabat::plan {

// One value for every choice of the variables of `scope` (ascending), the first running fastest.
struct CostTable {
    std::vector<size_t> scope;
    std::vector<double> values;
};

class Elimination {
  public:
    static constexpr size_t kMostValues = size_t{1} << 22;

    // The tables must outlive it.
    Elimination(std::vector<size_t> sizes, std::vector<const CostTable*> tables,
                size_t most = kMostValues);

    // All variables but those of `stay`, ascending, which the scope of one table holds.
    void run(const std::vector<size_t>& stay = {});

    // After run(): the least sum for every choice of what stayed; one value where nothing did.
    const CostTable& result() const { return result_; }
    // The values of all variables behind a value of the result.
    std::vector<size_t> choice(size_t cell) const;

  private:
    struct Done {
        size_t variable = 0;
        std::vector<size_t> scope, best;  // of its first part
    };
    void eliminate(size_t variable);
    void eliminate_part(size_t variable, const std::vector<const CostTable*>& part, bool decides);
    size_t next(const std::vector<uint8_t>& gone) const;
    size_t cells(const std::vector<size_t>& scope) const;

    std::vector<size_t> sizes_;
    std::vector<const CostTable*> tables_;
    std::deque<CostTable> made_;
    size_t most_;
    std::vector<Done> done_;
    CostTable result_;
};

}  // namespace adiabat::plan
