// SPDX-License-Identifier: Apache-2.0
#include "adiabat/anneal/bounds/bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "adiabat/anneal/bounds/convex_bound.h"
#include "adiabat/anneal/bounds/energy_unit.h"
#include "adiabat/anneal/bounds/roof_duality.h"
#include "adiabat/anneal/row_sums.h"

namespace adiabat::anneal {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int kLooksForNothing = 16;  // some milliseconds: smaller problems always have a bound
constexpr double kGrace = 0.01;       // beyond the end, for the bound that is always there
constexpr size_t kTermsBetweenChecks = 1 << 18;
// What steps that cannot be interrupted take, generously: on them it depends whether they begin.
constexpr double kSecondsPerPair = 4e-7;
constexpr double kSecondsPerMultiplication = 1.2e-10;

// The end, be it a limit or an interrupt, and a little after.
class Grace {
  public:
    explicit Grace(const Watch& watch) : watch_(watch) {}
    bool over() {
        if (++looks_ < kLooksForNothing) return false;
        if (ended_ == kInfinity && watch_.over()) ended_ = watch_.seconds();
        return watch_.seconds() > ended_ + kGrace;
    }

  private:
    const Watch& watch_;
    int looks_ = 0;
    double ended_ = kInfinity;  // seconds
};

// A sum of lower bounds of terms, and how far rounding can have moved it.
struct Sum {
    double value = 0, sizes = 0;
    double terms = 0;

    void add(double lowest, double size) {
        value += lowest;
        sizes += size;
        ++terms;
    }
    double bound() const { return value - 4 * kEpsilon * (terms + 8) * sizes; }
};

// sum_i min(0, h_i + sum_j min(0, J_ij)/2), dense or sparse.
double terms_bound(const qubo::Problem& problem, Grace& watch) {
    Sum sum;
    sum.add(problem.offset(), std::abs(problem.offset()));
    size_t seen = 0;
    double degree = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        double lowest = problem.linear(i), size = std::abs(lowest), count = 0;
        const auto add = [&](std::span<const double> couplings) {
            const RowSums sums = row_sums(couplings);
            lowest += sums.negative / 2;
            size += sums.sizes() / 2;
            count += static_cast<double>(couplings.size());
        };
        if (const auto* const dense = std::get_if<qubo::Dense>(&problem.form))
            add(dense->row(i));
        else
            add(std::get<qubo::Sparse>(problem.form).couplings(i));
        degree = std::max(degree, count);
        sum.add(std::min(0.0, lowest), size);
        seen += static_cast<size_t>(count) + 1;
        if (seen > kTermsBetweenChecks) {
            if (watch.over()) return -kInfinity;
            seen = 0;
        }
    }
    sum.terms += degree;
    return sum.bound();
}

// The values that b + a.x can have, of every square.
struct Ranges {
    std::vector<double> least, most;
};

// Without forming a row: linear terms and blocks as above, squares at the least of their ranges.
double terms_bound(const qubo::Factored& problem, Grace& watch) {
    const auto constants = problem.constants();
    Ranges ranges{{constants.begin(), constants.end()}, {constants.begin(), constants.end()}};
    Sum sum;
    sum.add(problem.offset(), std::abs(problem.offset()));
    size_t seen = 0;
    for (int i = 0; i < problem.variables(); ++i) {
        double lowest = problem.linear(i), size = std::abs(lowest);
        const auto a = problem.row(i);
        for (size_t k = 0; k < a.size(); ++k) (a[k] < 0 ? ranges.least : ranges.most)[k] += a[k];
        seen += a.size() + 1;
        if (const qubo::DenseBlock* const block = problem.block_of(i)) {
            const auto n = static_cast<size_t>(block->size);
            const double* const row =
                block->values.data() + static_cast<size_t>(i - block->first) * n;
            for (size_t j = 0; j < n; ++j) {
                lowest += std::min(0.0, row[j]);
                size += std::abs(row[j]);
            }
            seen += n;
            sum.terms += static_cast<double>(n);
        }
        sum.add(std::min(0.0, lowest), size);
        if (seen > kTermsBetweenChecks) {
            if (watch.over()) return -kInfinity;
            seen = 0;
        }
    }
    for (size_t k = 0; k < constants.size(); ++k) {
        const double low = ranges.least[k], high = ranges.most[k], w = problem.weights()[k];
        const double largest = std::max(low * low, high * high);
        const double smallest = low > 0 ? low * low : (high < 0 ? high * high : 0.0);
        sum.add(w * (w > 0 ? smallest : largest), std::abs(w) * 2 * largest);
    }
    return sum.bound();
}

double number_of_pairs(const qubo::Problem& problem) {
    const double n = problem.variables();
    if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem.form))
        return static_cast<double>(sparse->pairs());
    return n * n / 2;
}

// Both bounds that take a while; each begins where it can end in time.
class Search {
  public:
    Search(const qubo::Problem& problem, const BoundOptions& options, const Watch& watch)
        : problem_(problem), options_(options), watch_(watch) {}

    void try_roof(Bound& best) const {
        const bool factored = std::holds_alternative<qubo::Factored>(problem_.form);
        const double effort = number_of_pairs(problem_) * kSecondsPerPair;
        if ((factored && problem_.variables() > kMostConvexVariables) || effort > left() / 2)
            return;
        if (const auto* const sparse = std::get_if<qubo::Sparse>(&problem_.form))
            keep(roof_dual(*sparse, watch_).bound, "roof duality", best);
        else
            keep(roof_dual(sparse_of(problem_), watch_).bound, "roof duality", best);
    }

    void try_convex(Bound& best) const {
        const double n = problem_.variables();
        if (n < 1 || n > kMostConvexVariables) return;
        // Lanczos steps and two factorizations, beside at least two sweeps.
        const double effort = (n * n * n + 200 * n * n) * kSecondsPerMultiplication;
        if (effort > 0.6 * left()) return;
        const auto rows = interval_rows(problem_.constraints);
        const ConvexOptions options{.seconds = (left() - effort) * 0.7,
                                    .seed = options_.seed,
                                    .groups = problem_.constraints.groups};
        keep(convex_bound(dense_of(problem_), rows, options, watch_).value, "convex reformulation",
             best);
    }

  private:
    double left() const { return options_.time_limit - watch_.seconds(); }
    static void keep(double value, const char* method, Bound& best) {
        if (!(value > best.value)) return;
        best.value = value;
        best.method = method;
    }

    const qubo::Problem& problem_;
    const BoundOptions& options_;
    const Watch& watch_;
};

}  // namespace

Bound lower_bound(const qubo::Problem& problem, const BoundOptions& options, StopToken stop) {
    const Watch watch(stop, options.time_limit, {}, no_progress());
    Grace grace(watch);
    Bound best{-kInfinity, "none"};
    const auto* const factored = std::get_if<qubo::Factored>(&problem.form);
    best.value = factored ? terms_bound(*factored, grace) : terms_bound(problem, grace);
    if (best.value > -kInfinity) best.method = "terms";
    const Search search(problem, options, watch);
    if (!watch.over()) search.try_roof(best);
    if (!watch.over()) search.try_convex(best);
    if (!watch.over())
        best.value = round_up(best.value, problem.offset(), energy_unit(problem, &watch));
    best.seconds = watch.seconds();
    return best;
}

}  // namespace adiabat::anneal
