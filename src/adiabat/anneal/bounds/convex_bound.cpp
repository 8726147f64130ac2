// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/convex_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "adiabat/anneal/bounds/box_quadratic.h"
#include "adiabat/anneal/bounds/mixing.h"
#include "adiabat/anneal/bounds/positive_shift.h"
#include "adiabat/base/errors.h"

namespace adiabat::anneal {

namespace {

constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kSweepsBetweenSteps = 3;
constexpr double kPrecision = 1e-7;  // of the relaxation's value, a sweep
constexpr int kMostBoxSweeps = 200;
constexpr double kBoxPrecision = 1e-9;

Symmetric view(const qubo::Dense& problem) {
    const auto n = static_cast<size_t>(problem.variables());
    return {n > 0 ? problem.row(0).data() : nullptr, n, n};
}

// The constraints' multipliers, and the problem with their terms.
class Lagrangian {
  public:
    Lagrangian(const qubo::Dense& problem, std::span<const IntervalRow> rows,
               std::span<const qubo::Group> groups)
        : rows_(rows),
          groups_(groups),
          relaxed_(problem),
          multipliers_(rows.size()),
          steps_(rows.size()) {
        const auto n = static_cast<double>(std::max(1, problem.variables()));
        for (int i = 0; i < problem.variables(); ++i) {
            scale_ += std::abs(problem.linear(i)) / n;
            for (const double coupling : problem.row(i)) scale_ += std::abs(coupling) / n;
        }
    }

    bool empty() const { return rows_.empty(); }
    const qubo::Dense& relaxed() const { return relaxed_; }

    // Moves the multipliers towards what the relaxation breaks.
    void step(const Mixing& mixing, double size) {
        for (size_t r = 0; r < rows_.size(); ++r) move_row(r, mixing);
        for (const qubo::Group& group : groups_) {
            for (size_t a = 0; a < group.members.size(); ++a) {
                for (size_t b = 0; b < a; ++b) {
                    const int i = group.members[a], j = group.members[b];
                    relaxed_.add_coupling(i, j, size * scale_ * mixing.product(i, j));
                }
            }
        }
    }

  private:
    // Riedmiller and Braun's rule (1993).
    struct Step {
        double length = 0;
        bool upward = false;
    };

    void move_row(size_t r, const Mixing& mixing) {
        const IntervalRow& row = rows_[r];
        double value = 0, sum = 0, squares = 0;
        for (const auto& [i, c] : row.terms) {
            value += c * mixing.mean(i);
            sum += std::abs(c);
            squares += c * c;
        }
        if (sum == 0) return;
        // Above zero the upper side counts, below zero the lower one.
        double& mu = multipliers_[r];
        const double excess = value - row.upper, lack = value - row.lower;
        const double broken = mu > 0 || excess > 0 ? excess : (mu < 0 || lack < 0 ? lack : 0.0);
        if (broken == 0) return;
        // Problems have terms of all sizes: steps find their own (longer while the sign stays).
        Step& step = steps_[r];
        if (step.length == 0)
            step.length =
                0.01 * scale_ * std::sqrt(static_cast<double>(row.terms.size()) / squares);
        else
            step.length *= (broken > 0) == step.upward ? 1.4 : 0.5;
        step.upward = broken > 0;
        double next = mu + (step.upward ? step.length : -step.length);
        if (mu > 0 || excess > 0)
            next = std::max(0.0, next);
        else
            next = std::min(0.0, next);
        if (!std::isfinite(next) || next == mu) return;
        const auto added = [&](double multiplier) {
            return multiplier > 0 ? multiplier * row.upper
                                  : (multiplier < 0 ? multiplier * row.lower : 0.0);
        };
        for (const auto& [i, c] : row.terms) relaxed_.add_linear(i, (next - mu) * c);
        relaxed_.add_offset(added(mu) - added(next));
        mu = next;
    }

    std::span<const IntervalRow> rows_;
    std::span<const qubo::Group> groups_;
    qubo::Dense relaxed_;
    std::vector<double> multipliers_;
    std::vector<Step> steps_;
    double scale_ = 0;  // of a local field
};

// The relaxation with the best multipliers that its sweeps led to.
Mixing relax(Lagrangian& lagrangian, const ConvexOptions& options, const Watch& watch) {
    const Watch until({}, options.seconds, {}, no_progress());
    const auto over = [&] { return watch.over() || until.over(); };
    const qubo::Dense& problem = lagrangian.relaxed();
    Mixing mixing(view(problem), problem.linear(), options.seed);
    double before = 0;
    for (int k = 0; k < options.sweeps && !over(); ++k) {
        const double now = mixing.sweep(watch);
        const bool still = std::abs(now - before) <= kPrecision * std::abs(now);
        if (k > 0 && still && lagrangian.empty()) break;
        before = now;
        if (lagrangian.empty() || k % kSweepsBetweenSteps != kSweepsBetweenSteps - 1) continue;
        // The last third of the sweeps is for the vectors alone.
        if (k > options.sweeps * 2 / 3) continue;
        lagrangian.step(mixing, 2.0 / (1 + 0.05 * k));
        mixing.set_terms(view(problem), problem.linear());
    }
    return mixing;
}

// What rounding can hide in a value of the quadratic.
double rounding_of(const qubo::Dense& problem, std::span<const double> shift) {
    double sizes = std::abs(problem.offset());
    for (int i = 0; i < problem.variables(); ++i) {
        sizes += std::abs(problem.linear(i)) + shift[static_cast<size_t>(i)];
        for (const double coupling : problem.row(i)) sizes += std::abs(coupling) / 2;
    }
    return 4 * kEpsilon * (problem.variables() + 8) * sizes;
}

// The best tangent's bound of the minimum over the box; `x` ends near the minimum.
double box_bound(const qubo::Dense& problem, std::span<const double> shift, std::vector<double>& x,
                 const Watch& watch) {
    const size_t n = x.size();
    std::vector<double> linear(n), gradient(n), lower(n, 0.0), upper(n, 1.0);
    for (size_t i = 0; i < n; ++i) linear[i] = problem.linear()[i] - shift[i] / 2;
    const BoxQuadratic box{view(problem),    shift.data(), linear.data(),
                           problem.offset(), lower.data(), upper.data()};
    const BoxPoint point{x.data(), gradient.data()};
    start(box, point);
    double best = evaluate(box, point).bound;
    for (int k = 0; k < kMostBoxSweeps && !watch.over(); ++k) {
        sweep(box, point);
        const auto [value, bound] = evaluate(box, point);
        best = std::max(best, bound);
        if (value - best <= kBoxPrecision * std::abs(value)) break;
    }
    return best - rounding_of(problem, shift);
}

}  // namespace

ConvexBound convex_bound(const qubo::Dense& problem, std::span<const IntervalRow> rows,
                         const ConvexOptions& options, const Watch& watch) {
    ADIABAT_CHECK(problem.variables() <= kMostConvexVariables, "{} variables", problem.variables());
    Lagrangian lagrangian(problem, rows, options.groups);
    const Mixing mixing = relax(lagrangian, options, watch);
    ConvexBound result{0, lagrangian.relaxed(), {}, {}};
    result.shift = enough_diagonal(view(result.relaxed), mixing.shift(), watch);
    for (int i = 0; i < problem.variables(); ++i)
        result.x.push_back(std::clamp(mixing.mean(i), 0.0, 1.0));
    result.value = box_bound(result.relaxed, result.shift, result.x, watch);
    return result;
}

uint64_t convex_bound_bytes(int variables) {
    const auto n = static_cast<uint64_t>(variables) + 1;
    return 8 * n * n * 4 + 8 * n * (80 + 70);
}

}  // namespace adiabat::anneal
