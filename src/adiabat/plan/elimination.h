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
// the table's size x the variable's).
//
// A variable may be defined by two others, as the sum of two counts is: functions of it stay small
// until it is replaced by the two, when little else hangs on it. Where it is to stay, functions of
// the two become one of it instead, the least over all that give it, in the order of the
// definitions.
//
// Sources: U. Bertele, F. Brioschi, "Nonserial dynamic programming" (1972); R. Dechter, I. Rish,
// "Mini-buckets" (2003) for the parts.

#include <array>
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

// `variable` is value[cell] where the two others (ascending, the first running fastest) have the
// values of that cell. They may be defined too, by variables before them.
struct Definition {
    size_t variable = 0;
    std::array<size_t, 2> by = {};
    std::vector<size_t> value;
};

class Elimination {
  public:
    static constexpr size_t kMostValues = size_t{1} << 22;

    // Tables and definitions must outlive it; those by which a variable is defined come before it.
    Elimination(std::vector<size_t> sizes, std::vector<const CostTable*> tables,
                const std::vector<Definition>& definitions, size_t most = kMostValues);

    // All variables but those of `stay`, ascending, which the scope of one table holds. Values that
    // nothing can have are infinite.
    void run(const std::vector<size_t>& stay = {});

    // After run(): the least sum for every choice of what stayed; one value where nothing did.
    const CostTable& result() const { return result_; }
    // The values of all variables behind the only value of the result, where nothing stayed.
    std::vector<size_t> choice() const;

  private:
    struct Done {
        size_t variable = 0;
        std::vector<size_t> scope, best;  // of its first part
    };
    void eliminate(size_t variable);
    void eliminate_part(size_t variable, const std::vector<const CostTable*>& part, bool decides);
    void replace(const Definition& definition);
    void project(const Definition& definition, const std::vector<size_t>& stay);
    std::vector<const CostTable*> take_out(const std::vector<size_t>& variables);
    const CostTable& add(CostTable table);
    CostTable shrunk(const CostTable& table, size_t variable) const;
    bool defines(size_t variable) const;
    size_t next(const std::vector<uint8_t>& stays) const;
    size_t size_after(size_t variable) const;
    size_t cells(const std::vector<size_t>& scope) const;

    std::vector<size_t> sizes_;
    std::vector<const CostTable*> tables_;
    std::vector<const Definition*> definition_of_;  // null where there is none, or none any more
    std::vector<uint8_t> gone_;
    std::deque<CostTable> made_;
    size_t most_;
    std::vector<Done> done_;
    CostTable result_;
};

}  // namespace adiabat::plan
