// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/branch_start.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/anneal/local_fields.h"
#include "adiabat/base/random.h"

namespace adiabat::anneal {

namespace {

constexpr uint32_t kStream = 0x5A80;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kMostForSwaps = 400;  // pairs beyond it cost more than they find

// One flip, or two.
struct Move {
    int first = -1, second = -1;
    double change = kInfinity;
};

class Tabu {
  public:
    Tabu(const Task& task, std::span<const IntervalRow> rows, const std::vector<uint8_t>& x)
        : task_(task),
          rows_(rows),
          state_(task.problem, x),
          matrix_(row_matrix(rows, task.problem.variables())),
          free_at_(x.size()),
          best_(x),
          lowest_(state_.energy()) {
        for (const IntervalRow& row : rows) {
            double sum = 0;
            for (const auto& [i, c] : row.terms) sum += x[static_cast<size_t>(i)] ? c : 0.0;
            sums_.push_back(sum);
        }
    }

    void run(int steps, Random& random) {
        const int n = state_.variables();
        for (int step = 1; step <= steps && !task_.watch.over(); ++step) {
            const Move move = best_move(step);
            if (move.first < 0) return;
            const int tenure = 3 + n / 10 + static_cast<int>(random.below(5));
            for (const int i : {move.first, move.second}) {
                if (i < 0) continue;
                add(i, delta(i));
                state_.flip(i);
                free_at_[static_cast<size_t>(i)] = step + tenure;
            }
            if (state_.energy() >= lowest_) continue;
            lowest_ = state_.energy();
            best_.assign(state_.x().begin(), state_.x().end());
        }
    }
    const std::vector<uint8_t>& best() const { return best_; }

  private:
    double delta(int i) const { return state_.x()[static_cast<size_t>(i)] ? -1.0 : 1.0; }
    double coefficient(size_t row, int i) const {
        return matrix_[row * static_cast<size_t>(state_.variables()) + static_cast<size_t>(i)];
    }
    void add(int i, double sign) {
        for (size_t r = 0; r < rows_.size(); ++r) sums_[r] += sign * coefficient(r, i);
    }
    bool keeps(int i, int j) const {
        for (size_t r = 0; r < rows_.size(); ++r) {
            double sum = sums_[r] + delta(i) * coefficient(r, i);
            if (j >= 0) sum += delta(j) * coefficient(r, j);
            if (sum < rows_[r].lower || sum > rows_[r].upper) return false;
        }
        return true;
    }

    Move best_move(int step) const {
        const int n = state_.variables();
        Move best;
        const auto consider = [&](int i, int j, double change) {
            if (change >= best.change) return;
            const bool tabu = free_at_[static_cast<size_t>(i)] > step ||
                              (j >= 0 && free_at_[static_cast<size_t>(j)] > step);
            if (tabu && state_.energy() + change >= lowest_) return;
            if (!keeps(i, j)) return;
            best = {i, j, change};
        };
        for (int i = 0; i < n; ++i) consider(i, -1, state_.change(i));
        if (rows_.empty() || n > kMostForSwaps) return best;
        for (int i = 0; i < n; ++i) {
            if (!state_.x()[static_cast<size_t>(i)]) continue;
            for (int j = 0; j < n; ++j) {
                if (state_.x()[static_cast<size_t>(j)]) continue;
                consider(i, j, state_.change(i) + state_.change(j) - task_.problem.coupling(i, j));
            }
        }
        return best;
    }

    const Task& task_;
    std::span<const IntervalRow> rows_;
    LocalFields state_;
    std::vector<double> matrix_, sums_;
    std::vector<int> free_at_;  // the step from which a variable may move again
    std::vector<uint8_t> best_;
    double lowest_;
};

// All zeros, all ones, then random with half of all set, a quarter, an eighth, a sixteenth in turn:
// in problems of rewards and penalties low states are far from even ones.
std::vector<uint8_t> start_of_density(int variables, int number, Random& random) {
    if (number < 2) return std::vector<uint8_t>(static_cast<size_t>(variables), number == 1);
    const double density = std::exp2(-1 - number % 4);
    std::vector<uint8_t> x;
    for (int i = 0; i < variables; ++i) x.push_back(random.uniform() < density);
    return x;
}

}  // namespace

std::vector<uint8_t> good_state(const Task& task, std::span<const IntervalRow> rows, int starts) {
    const int n = task.problem.variables();
    std::vector<uint8_t> best = start_of(task, 0);
    if (n == 0) return best;
    double lowest = task.problem.constraints.keeps(best) ? task.problem.energy(best) : kInfinity;
    const int given = static_cast<int>(task.initial.size());
    for (int k = 0; k < starts && !task.watch.over(); ++k) {
        Random random(task.seed, kStream, task.first_read + static_cast<uint32_t>(k));
        const std::vector<uint8_t> x =
            k < given || !rows.empty() ? start_of(task, k) : start_of_density(n, k - given, random);
        if (!task.problem.constraints.keeps(x)) continue;
        Tabu tabu(task, rows, x);
        tabu.run(20 + (rows.empty() ? 10 : 4) * n, random);
        const double energy = task.problem.energy(tabu.best());
        if (energy >= lowest || !task.problem.constraints.keeps(tabu.best())) continue;
        lowest = energy;
        best = tabu.best();
        task.watch.offer(energy);
    }
    return best;
}

}  // namespace adiabat::anneal
