// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/polish.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "adiabat/anneal/feasible.h"
#include "adiabat/anneal/local_fields.h"

namespace adiabat::anneal {

namespace {

class Polisher {
  public:
    Polisher(const qubo::Problem& problem, std::span<const uint8_t> x, double tolerance,
             std::span<const double> largest, const Watch& watch)
        : problem_(problem), state_(problem, x, &watch), largest_(largest), tolerance_(tolerance) {
        if (problem.constraints.empty()) return;
        constraints_.emplace(problem.constraints, problem.variables());
        constraints_->set(x);
    }

    bool flip_lowest() {
        int best = -1;
        double lowest = -tolerance_;
        for (int i = 0; i < state_.variables(); ++i) {
            if (state_.change(i) >= lowest || (constraints_ && !constraints_->allows(i))) continue;
            lowest = state_.change(i);
            best = i;
        }
        if (best >= 0) flip(best);
        return best >= 0;
    }

    bool flip_lowest_pair() {
        int first = -1, second = -1;
        double lowest = -tolerance_;
        double least = 0;
        if (!largest_.empty()) {
            least = state_.change(0);
            for (int i = 1; i < state_.variables(); ++i) least = std::min(least, state_.change(i));
        }
        for (int i = 0; i < state_.variables(); ++i) {
            const double change_i = state_.change(i);
            if (!largest_.empty() &&
                change_i + least - largest_[static_cast<size_t>(i)] >= lowest) {
                continue;
            }
            qubo::for_each_coupling(problem_, i, [&](int j, double coupling) {
                if (j >= i) return;
                const bool equal =
                    state_.x()[static_cast<size_t>(i)] == state_.x()[static_cast<size_t>(j)];
                const double change = change_i + state_.change(j) + (equal ? coupling : -coupling);
                if (change < lowest && allows(i, j)) {
                    lowest = change;
                    first = i;
                    second = j;
                }
            });
        }
        // Without a coupling a pair is worth more than its flips only where constraints tie them.
        if (constraints_) uncoupled_pairs(lowest, first, second);
        if (first < 0) return false;
        flip(first);
        flip(second);
        return true;
    }

    std::span<const uint8_t> x() const { return state_.x(); }

  private:
    bool allows(int i, int j) const {
        const int both[] = {i, j};
        return !constraints_ || constraints_->allows(both);
    }

    void uncoupled_pairs(double& lowest, int& first, int& second) const {
        if (std::holds_alternative<qubo::Dense>(problem_.form)) return;  // all pairs were seen
        for (int i = 0; i < state_.variables(); ++i) {
            for (int j = 0; j < i; ++j) {
                const double sum = state_.change(i) + state_.change(j);
                if (sum >= lowest || problem_.coupling(i, j) != 0 || !allows(i, j)) continue;
                lowest = sum;
                first = i;
                second = j;
            }
        }
    }

    void flip(int i) {
        state_.flip(i);
        if (constraints_) constraints_->flip(i);
    }

    const qubo::Problem& problem_;
    LocalFields state_;
    std::span<const double> largest_;
    std::optional<ConstraintState> constraints_;
    double tolerance_;
};

}  // namespace

std::vector<double> largest_couplings(const qubo::Problem& problem) {
    const auto* const dense = std::get_if<qubo::Dense>(&problem.form);
    if (dense == nullptr || problem.variables() > kMostForPairs) return {};
    std::vector<double> largest;
    for (int i = 0; i < problem.variables(); ++i) {
        double most = 0;
        for (const double coupling : dense->row(i)) most = std::max(most, std::abs(coupling));
        largest.push_back(most);
    }
    return largest;
}

void polish(const qubo::Problem& problem, std::vector<uint8_t>& x, double tolerance, bool pairs,
            std::span<const double> largest, const Watch& watch) {
    Polisher polisher(problem, x, tolerance, largest, watch);
    while (!watch.over()) {
        if (polisher.flip_lowest()) continue;
        if (!pairs || problem.variables() > kMostForPairs || !polisher.flip_lowest_pair()) break;
    }
    x.assign(polisher.x().begin(), polisher.x().end());
}

}  // namespace adiabat::anneal
