// SPDX-License-Identifier: Apache-2.0
#pragma once

// The best move that keeps the constraints: what descent and tabu search inside constraints repeat.
//
// Moves, from an assignment that keeps them: the flip of one variable that they allow; the step
// from the set member of a group to another; and, where a budget (or what else) forbids a flip, the
// swap: that flip together with one of any other variable that makes up for it. Swaps are sought
// from the `width` forbidden flips of the lowest dE with every partner, dE_i + dE_j + J_ij (1 - 2
// x_i)(1 - 2 x_j), not from all n^2 pairs. O(n) for the flips and O(members) for the steps, each
// with the constraints of its variables; O(width (n + row)) for the swaps; rank times as much for
// couplings of factored problems.
//
// Tabu: a move is free once all of its variables are, or where it leads below the aspiration. Where
// none is free, the one that is tabu the shortest (aspiration by default, F. Glover, "Tabu search,
// part I", 1989). An equality with uneven coefficients may be out of reach of pairs: some feasible
// assignments then are not connected, and only other starts lead there.

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

// What descent and tabu search use.
inline constexpr int kSwapWidth = 8;

struct FeasibleMove {
    int first = -1, second = -1;  // the variables it flips; none, one or two
    double change = std::numeric_limits<double>::infinity();

    bool exists() const { return first >= 0; }
};

class FeasibleMoves {
  public:
    // Keeps a reference to `problem`; `x` keeps its constraints.
    FeasibleMoves(const qubo::Problem& problem, std::span<const uint8_t> x);

    // Another state that keeps the constraints; every variable is free.
    void set(std::span<const uint8_t> x);
    std::span<const uint8_t> x() const { return state_.x(); }
    double energy() const { return state_.energy(); }

    // The best move at this iteration. Moves whose dE is below `aspiration` are free; ties go to
    // the first from a place that `random` decides. None where the constraints allow none.
    FeasibleMove best(int width, int64_t iteration, double aspiration, uint32_t random);
    // The best of all flips and all pairs, whatever is tabu: O(n^2). None where the watch was over
    // before all were seen.
    FeasibleMove best_of_all_pairs(const Watch& watch);
    // Makes it; its variables are tabu before iteration `until`.
    void make(const FeasibleMove& move, int64_t until);
    // So many random moves, as far as some are found.
    void shake(int moves, Random& random);

    // Elementary operations that a search of this width takes, roughly.
    int64_t work(int width) const;

  private:
    // One search for the best move.
    struct Search {
        int64_t iteration = 0;
        double aspiration = 0;
        FeasibleMove best, tabu_best;  // among the free ones; among the others
        int64_t tabu_until = std::numeric_limits<int64_t>::max();
    };

    void consider(Search& search, int i, int j, double change) const;
    void consider_flips(Search& search, int start) const;
    void consider_steps(Search& search) const;
    // Of the flips that a budget forbids, those of the lowest dE, free ones alone if there are any.
    std::vector<int> forbidden(int width, int64_t iteration, int start) const;
    void consider_partners(Search& search, int i);
    FeasibleMove random_move(Random& random) const;
    bool is_free(int i, int64_t iteration) const {
        return until_[static_cast<size_t>(i)] <= iteration;
    }
    // J_ij's sign in the change of both.
    double signed_coupling(int i, int j, double coupling) const {
        return x()[static_cast<size_t>(i)] == x()[static_cast<size_t>(j)] ? coupling : -coupling;
    }

    const qubo::Problem& problem_;
    LocalFields state_;
    ConstraintState constraints_;
    std::vector<int64_t> until_;
    std::vector<double> row_;
    int64_t members_ = 0, rank_ = 0;
};

// Bytes of one beyond the problem.
uint64_t feasible_moves_bytes(const qubo::Problem& problem);

}  // namespace adiabat::anneal
