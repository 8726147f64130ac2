// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constraints as something that moves: the sums of the budgets and the counts of the groups of one
// assignment, kept current, so that whether a flip, a swap or a step inside a group keeps them
// costs O(constraints of the variables touched). And how an assignment that breaks them is mended.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

class ConstraintState {
  public:
    // Keeps a reference to `constraints`.
    ConstraintState(const qubo::Constraints& constraints, int variables);

    void set(std::span<const uint8_t> x);
    std::span<const uint8_t> x() const { return x_; }
    void flip(int i);

    // Whether the assignment keeps all constraints.
    bool keeps() const { return violation() == 0; }
    // How far it breaks them: of each budget the excess over its largest coefficient, of each group
    // the variables too many or missing, summed; 0 where it keeps them.
    double violation() const;
    // The change of that by flipping these different variables together, computed from the
    // constraints that hold any of them.
    double violation_change(std::span<const int> variables) const;
    // Whether an assignment that keeps the constraints still does after flipping these.
    bool allows(std::span<const int> variables) const { return violation_change(variables) <= 0; }
    bool allows(int i) const { return allows({&i, 1}); }

    // The same for the groups alone.
    bool groups_allow(int i) const;

    // The groups that hold a variable.
    std::span<const int> groups_of(int i) const { return groups_of_[static_cast<size_t>(i)]; }
    // Whether no constraint holds it.
    bool is_free(int i) const {
        return groups_of(i).empty() && in_budgets_[static_cast<size_t>(i)].empty();
    }

  private:
    struct Share {
        int budget = 0;
        double coefficient = 0;
    };
    double excess(size_t budget, double sum) const;
    double miscount(size_t group, int set) const;

    const qubo::Constraints& constraints_;
    std::vector<uint8_t> x_;
    std::vector<double> sums_, tolerances_, largest_;
    std::vector<int> counts_;
    std::vector<std::vector<Share>> in_budgets_;
    std::vector<std::vector<int>> groups_of_;
    int64_t flips_ = 0;
};

// An assignment that keeps the constraints near `x`: flips, swaps and steps inside groups that
// reduce the violation, the least rise of energy per reduction first; random ones where those are
// stuck. Nothing where none was found in `attempts` tries. Deterministic in its arguments.
std::optional<std::vector<uint8_t>> repaired(const qubo::Problem& problem,
                                             std::span<const uint8_t> x, uint64_t seed,
                                             int attempts = 20);

}  // namespace adiabat::anneal
