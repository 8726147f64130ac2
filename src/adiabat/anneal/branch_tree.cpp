// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/branch_tree.h"

#include <algorithm>
#include <cmath>

#include "adiabat/anneal/bounds/box_quadratic.h"

namespace adiabat::anneal {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr size_t kWorkBetweenChecks = 1 << 20;  // multiplications
constexpr int kMostSweeps = 24;
// A node whose relaxation is below the threshold cannot be cut off; sweeps go on only while the
// bound is so much farther below it (values that are out depend on the bound).
constexpr double kWorthASweep = 0.3;

std::vector<IntervalRow> by_position(std::span<const IntervalRow> rows,
                                     const std::vector<int>& order) {
    std::vector<int> position(order.size());
    for (size_t p = 0; p < order.size(); ++p)
        position[static_cast<size_t>(order[p])] = static_cast<int>(p);
    std::vector<IntervalRow> moved(rows.begin(), rows.end());
    for (IntervalRow& row : moved) {
        for (auto& term : row.terms) term.variable = position[static_cast<size_t>(term.variable)];
    }
    return moved;
}

}  // namespace

BranchTree::BranchTree(const qubo::Problem& problem, const qubo::Dense& dense,
                       const BranchPlan& plan, std::span<const IntervalRow> rows,
                       const BranchLimits& limits, Watch& watch)
    : problem_(problem),
      dense_(dense),
      plan_(plan),
      limits_(limits),
      watch_(watch),
      coefficients_(row_matrix(by_position(rows, plan.order), dense.variables())),
      rows_(by_position(rows, plan.order), plan.size()),
      row_count_(rows.size()),
      tail_(tail_of(plan.size())),
      table_(0, {}, {}, {}),
      levels_(plan.size() - tail_ + 1) {
    const size_t n = plan.size();
    for (const int i : plan.order) {
        for (const int j : plan.order) couplings_.push_back(dense.coupling(i, j));
    }
    std::vector<double> couplings, coefficients;
    for (size_t p = n - tail_; p < n; ++p) {
        for (size_t q = n - tail_; q < n; ++q) couplings.push_back(couplings_[p * n + q]);
    }
    for (size_t r = 0; r < row_count_; ++r) {
        for (size_t p = n - tail_; p < n; ++p) coefficients.push_back(coefficients_[r * n + p]);
    }
    table_ = BlockTable(static_cast<int>(tail_), couplings, rows, coefficients);

    for (Level& level : levels_) {
        for (auto* const values :
             {&level.relaxed_fields, &level.fields, &level.x, &level.gradient, &level.linear})
            values->resize(n);
        level.row_sums.resize(row_count_);
    }
    Level& root = levels_[0];
    root.relaxed_energy = plan.offset;
    root.energy = dense.offset();
    root.relaxed_fields = plan.linear;
    root.x = plan.start;
    for (size_t p = 0; p < n; ++p) root.fields[p] = dense.linear(plan.order[p]);
}

void BranchTree::set_best(std::vector<uint8_t> x, double energy) {
    best_ = std::move(x);
    best_energy_ = energy;
}

void BranchTree::settle(int variable, int value) {
    const auto at =
        static_cast<size_t>(std::ranges::find(plan_.order, variable) - plan_.order.begin());
    if (rows_.value(at) < 0) rows_.settle(at, value);
}

void BranchTree::run() {
    const size_t n = plan_.size();
    Level& root = levels_[0];
    for (size_t p = 0; p < n; ++p) root.linear[p] = root.relaxed_fields[p] - plan_.shifts[0][p] / 2;
    const BoxQuadratic box{plan_.rest(0), plan_.shifts[0].data(), root.linear.data(), 0,
                           rows_.lower(), rows_.upper()};
    start(box, {root.x.data(), root.gradient.data()});
    visit(0, plan_.bound);
}

bool BranchTree::stop_now(size_t work) {
    work_ += work;
    if (nodes_ >= limits_.nodes) stopped_ = true;
    if (work_ >= kWorkBetweenChecks) {
        work_ = 0;
        if (watch_.over()) stopped_ = true;
    }
    return stopped_;
}

void BranchTree::visit(size_t depth, double bound_above) {
    if (stop_now(plan_.size() * 4)) {
        open_bound_ = std::min(open_bound_, bound_above);
        return;
    }
    if (!rows_.propagate()) return;
    if (depth + tail_ == plan_.size()) {
        search_tail(depth);
        return;
    }
    if (const int value = rows_.value(depth); value >= 0) {
        descend(depth, value, bound_above);
        return;
    }
    if ((++nodes_ & 0xFFF) == 0) watch_.advance(0x1000);
    const double found = std::max(bound_above, bound(depth));
    if (found >= threshold()) return;
    const size_t mark = rows_.mark();
    settle_by_costs(depth, found);
    if (rows_.propagate()) branch(depth, found);
    rows_.undo(mark);
}

void BranchTree::branch(size_t depth, double bound) {
    if (const int value = rows_.value(depth); value >= 0) {
        descend(depth, value, bound);
        return;
    }
    const int first = levels_[depth].x[depth] >= 0.5 ? 1 : 0;
    for (const int value : {first, 1 - first}) {
        if (stopped_) {
            open_bound_ = std::min(open_bound_, bound);
            return;
        }
        if (bound >= threshold()) return;
        const size_t mark = rows_.mark();
        rows_.settle(depth, value);
        descend(depth, value, bound);
        rows_.undo(mark);
    }
}

// Makes the level below ready for position `depth` at `value`, which is settled, and visits it.
void BranchTree::descend(size_t depth, int value, double bound) {
    const Level& level = levels_[depth];
    Level& next = levels_[depth + 1];
    const size_t n = plan_.size();
    const double* const relaxed_row = plan_.couplings.data() + depth * n;
    const double* const row = couplings_.data() + depth * n;
    const double change = value - level.x[depth];
    const double* const shift = plan_.shifts[depth].data() - depth;
    const double* const next_shift = plan_.shifts[depth + 1].data() - (depth + 1);
    next.relaxed_energy = level.relaxed_energy + value * level.relaxed_fields[depth];
    next.energy = level.energy + value * level.fields[depth];
    for (size_t p = depth + 1; p < n; ++p) {
        next.relaxed_fields[p] = level.relaxed_fields[p] + value * relaxed_row[p];
        next.fields[p] = level.fields[p] + value * row[p];
        next.x[p] = level.x[p];
        next.gradient[p] = level.gradient[p] + change * relaxed_row[p] +
                           (next_shift[p] - shift[p]) * (level.x[p] - 0.5);
    }
    for (size_t r = 0; r < row_count_; ++r)
        next.row_sums[r] = level.row_sums[r] + value * coefficients_[r * n + depth];
    visit(depth + 1, bound);
}

// The best tangent's bound; the level's point and gradient move towards the minimum.
double BranchTree::bound(size_t depth) {
    Level& level = levels_[depth];
    const size_t n = plan_.size(), left = n - depth;
    const std::vector<double>& shift = plan_.shifts[depth];
    for (size_t p = depth; p < n; ++p)
        level.linear[p] = level.relaxed_fields[p] - shift[p - depth] / 2;
    const BoxQuadratic box{plan_.rest(depth),    shift.data(),          level.linear.data() + depth,
                           level.relaxed_energy, rows_.lower() + depth, rows_.upper() + depth};
    const BoxPoint point{level.x.data() + depth, level.gradient.data() + depth};
    // What was settled since the point was made.
    for (size_t k = 0; k < left; ++k) {
        const double x = std::clamp(point.x[k], box.lower[k], box.upper[k]);
        if (x == point.x[k]) continue;
        const double change = x - point.x[k];
        const double* const row = box.couplings.row(k);
        for (size_t j = 0; j < left; ++j) point.gradient[j] += change * row[j];
        point.gradient[k] += change * shift[k];
        point.x[k] = x;
    }
    double best = -kInfinity;
    for (int k = 0;; ++k) {
        const BoxValues values = evaluate(box, point);
        best = std::max(best, values.bound - limits_.rounding);
        if (best >= threshold() || k == kMostSweeps) break;
        const double excess = values.value - best, missing = threshold() - best;
        if (k > 0 && (excess < kWorthASweep * missing || excess < 1e-9 * std::abs(missing))) break;
        sweep(box, point);
        work_ += left * left;
        if (work_ >= kWorkBetweenChecks && watch_.over()) break;
    }
    return best;
}

// Values that would lift the tangent's bound over the threshold are out.
void BranchTree::settle_by_costs(size_t depth, double bound) {
    if (!(threshold() < kInfinity)) return;
    const Level& level = levels_[depth];
    double fall = 0;
    // The bound of the very tangent that the level holds now.
    double value = level.relaxed_energy - limits_.rounding;
    for (size_t p = depth; p < plan_.size(); ++p) {
        const double g = level.gradient[p], x = level.x[p];
        value += (level.linear[p] + g) * x / 2;
        fall += std::min(g * (rows_.lower()[p] - x), g * (rows_.upper()[p] - x));
    }
    const double tangent = std::min(value + fall, bound);
    for (size_t p = depth; p < plan_.size(); ++p) {
        if (rows_.value(p) >= 0) continue;
        const double g = level.gradient[p];
        if (tangent + std::abs(g) >= threshold()) rows_.settle(p, g > 0 ? 0 : 1);
    }
}

void BranchTree::search_tail(size_t depth) {
    const Level& level = levels_[depth];
    ++blocks_;
    const std::span<const double> fields = std::span(level.fields).subspan(depth);
    double lowest = table_.fill(fields, level.row_sums, scratch_);
    while (level.energy + lowest < best_energy_) {
        const uint32_t word = table_.find(scratch_, lowest);
        const double before = best_energy_;
        offer(word, depth);
        if (best_energy_ < before) return;
        // At the very edge of a budget, or no lower than the best but for rounding.
        scratch_[word] = kInfinity;
        lowest = *std::min_element(scratch_.data(), scratch_.data() + table_.words());
    }
}

void BranchTree::offer(uint32_t word, size_t depth) {
    std::vector<uint8_t> x(plan_.size());
    for (size_t p = 0; p < plan_.size(); ++p) {
        const int value = p < depth ? rows_.value(p) : static_cast<int>(word >> (p - depth) & 1);
        x[static_cast<size_t>(plan_.order[p])] = static_cast<uint8_t>(value);
    }
    const double energy = problem_.energy(x);
    if (!(energy < best_energy_) || !problem_.constraints.keeps(x)) return;
    best_ = std::move(x);
    best_energy_ = energy;
    watch_.offer(energy);
}

uint64_t BranchTree::memory_bytes(uint64_t variables, uint64_t rows) {
    return 8 * (variables * variables * 8 + rows * variables * 3 + 6 * variables);
}

}  // namespace adiabat::anneal
