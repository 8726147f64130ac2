// SPDX-License-Identifier: Apache-2.0
#pragma once

// The tree of branch and bound over a plan (branch_and_bound.h says how).

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "adiabat/anneal/block_table.h"
#include "adiabat/anneal/branch_plan.h"
#include "adiabat/anneal/branch_rows.h"
#include "adiabat/qubo/problem.h"

namespace adiabat::anneal {

struct BranchLimits {
    double step = 0;      // a state has to be lower by so much to be of interest
    double rounding = 0;  // of bounds
    uint64_t nodes = 0;   // at most
};

class BranchTree {
  public:
    // Keeps references. `best` keeps the constraints, unless its energy is infinite.
    BranchTree(const qubo::Problem& problem, const qubo::Dense& dense, const BranchPlan& plan,
               std::span<const IntervalRow> rows, const BranchLimits& limits, Watch& watch);

    void set_best(std::vector<uint8_t> x, double energy);
    // Settles a variable for good.
    void settle(int variable, int value);
    void run();

    const std::vector<uint8_t>& best() const { return best_; }
    double best_energy() const { return best_energy_; }
    bool complete() const { return !stopped_; }
    // The least bound of what was left unseen; infinity after a complete run.
    double open_bound() const { return open_bound_; }
    uint64_t nodes() const { return nodes_; }
    uint64_t blocks() const { return blocks_; }

    // Variables at the end that are taken at once.
    static size_t tail_of(size_t variables) {
        return variables < size_t{BlockTable::kMostBits} ? variables
                                                         : size_t{BlockTable::kMostBits};
    }
    static uint64_t memory_bytes(uint64_t variables, uint64_t rows);

  private:
    // What a node needs, by position from its depth on.
    struct Level {
        double relaxed_energy = 0, energy = 0;  // of what is settled before
        std::vector<double> relaxed_fields, fields, x, gradient, linear, row_sums;
    };

    double threshold() const { return best_energy_ - limits_.step; }
    void visit(size_t depth, double bound_above);
    void branch(size_t depth, double bound);
    void descend(size_t depth, int value, double bound);
    double bound(size_t depth);
    void settle_by_costs(size_t depth, double bound);
    void search_tail(size_t depth);
    void offer(uint32_t word, size_t depth);
    bool stop_now(size_t work);
    BlockTable make_table() const;

    const qubo::Problem& problem_;
    const qubo::Dense& dense_;
    const BranchPlan& plan_;
    BranchLimits limits_;
    Watch& watch_;
    std::vector<double> couplings_;     // the problem's own, by position
    std::vector<double> coefficients_;  // rows x positions
    BranchRows rows_;
    size_t row_count_, tail_;
    BlockTable table_;
    BlockTable::Energies scratch_{};
    std::vector<Level> levels_;
    std::vector<uint8_t> best_;
    double best_energy_ = std::numeric_limits<double>::infinity();
    double open_bound_ = std::numeric_limits<double>::infinity();
    uint64_t nodes_ = 0, blocks_ = 0;
    size_t work_ = 0;
    bool stopped_ = false;
};

}  // namespace adiabat::anneal
