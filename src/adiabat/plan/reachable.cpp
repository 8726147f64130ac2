// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/reachable.h"

#include <algorithm>
#include <limits>
#include <map>
#include <string>
#include <tuple>

#include "adiabat/base/errors.h"

namespace adiabat::plan {

namespace {

// Of each family so many of the least counts that may stay are tried.
constexpr int kFewCounts = 8;
// Elementary steps that a round over layers and families may take.
constexpr int64_t kMostSteps = 20'000'000;

// All that a cost depends on.
struct Point {
    std::vector<int64_t> cut;   // one a family
    std::vector<int> bits;      // one a tensor, were it there
    std::vector<uint8_t> gone;  // one a branch
};

// As costs are asked for.
struct Shape {
    std::vector<int64_t> cut;
    std::vector<int> bits;
};
Shape shape_of(const Network& network, const Point& point) {
    Shape shape{point.cut, point.bits};
    for (size_t b = 0; b < point.gone.size(); ++b) {
        if (!point.gone[b]) continue;
        for (size_t f : network.branches[b].families) shape.cut[f] = 0;
        for (size_t k : network.branches[b].layers) shape.bits[k] = kGone;
    }
    return shape;
}

// What a descent makes smaller: the first number, then the second.
using Score = std::pair<double, double>;
using Goal = std::function<Score(const Point&)>;

Plan plan_of(const Network& network, const Point& point) {
    Plan plan = uniform_plan(network, kMinBits);
    const Shape shape = shape_of(network, point);
    plan.bits = shape.bits;
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        std::fill_n(plan.cut[f].rbegin(), shape.cut[f], uint8_t{1});
    }
    return plan;
}

// The lowest bits and the fewest groups, and no branch that may go.
Point least_point(const Network& network) {
    Point point;
    for (size_t f = 0; f < network.families(); ++f) {
        point.cut.push_back(network.groups(f) - allowed_kept(network, f, kLeastKept));
    }
    point.bits = uniform_plan(network, kMinBits).bits;
    point.gone.assign(network.branches.size(), 1);
    return point;
}

// Layers or families that a descent changes together.
using Members = std::vector<size_t>;

template <typename Classes>
std::vector<Members> members_of(Classes classes) {
    std::vector<Members> list;
    for (auto& [key, members] : classes) list.push_back(std::move(members));
    return list;
}

// Layers of one shape, all activations, and families of one size: what is best for one of them is
// for the others, but for a byte here and there.
std::vector<Members> alike_layers(const Network& network) {
    using Key = std::tuple<int64_t, int64_t, int64_t, int64_t, bool, std::vector<int>>;
    std::map<Key, Members> classes;
    const Point least = least_point(network);
    for (size_t k = 0; k < network.layers.size(); ++k) {
        const net::Layer& layer = network.layers[k];
        const net::LayerState state = network.costs.state(k, least.cut, least.bits[k]);
        classes[{state.filters, state.inputs, layer.weights(), layer.groups,
                 layer.bias == net::kNoValue, network.widths(k)}]
            .push_back(k);
    }
    std::vector<Members> list = members_of(std::move(classes));
    Members activations;
    for (size_t k = network.layers.size(); k < network.tensors(); ++k) activations.push_back(k);
    if (!activations.empty()) list.push_back(std::move(activations));
    return list;
}

std::vector<Members> alike_families(const Network& network) {
    std::map<std::tuple<int64_t, int64_t, int64_t, int64_t>, Members> classes;
    for (size_t f = 0; f < network.families(); ++f) {
        classes[{network.groups(f), network.coupling.families[f].channels, network.group_step(f),
                 network.least_kept(f)}]
            .push_back(f);
    }
    return members_of(std::move(classes));
}

std::vector<Members> one_by_one(size_t count) {
    std::vector<Members> list;
    for (size_t k = 0; k < count; ++k) list.push_back({k});
    return list;
}

// Changes the bits of some layers or the counts of some families at a time until nothing gets
// smaller.
class Descent {
  public:
    Descent(const Network& network, Goal goal, Point start)
        : network_(network), goal_(std::move(goal)), point_(std::move(start)) {
        least_ = goal_(point_);
    }

    // Over all alike at once, then, where the network is not enormous, over each alone, then over
    // pairs, where it is small.
    void run() {
        const auto counts = moves(alike_layers(network_), alike_families(network_));
        while (try_all(counts)) continue;
        const auto parts = static_cast<int64_t>(network_.tensors() + network_.families());
        const auto singles = moves(one_by_one(network_.tensors()), one_by_one(network_.families()));
        const auto all = std::ssize(singles);
        if (all * parts >= kMostSteps) return;
        while (try_all(singles)) continue;
        if (all * all * parts >= kMostSteps) return;
        while (try_pairs(singles) && try_all(singles)) continue;
    }

    const Point& point() const { return point_; }
    Score score() const { return least_; }

  private:
    // One width for some layers, one count for some families, or whether a branch goes.
    struct Move {
        Members members;
        enum { kBits, kCount, kBranch } kind = kBits;
        int64_t value = 0;
    };

    std::vector<Move> moves(const std::vector<Members>& layers,
                            const std::vector<Members>& families) const {
        std::vector<Move> list;
        for (const Members& members : layers) {
            for (int bits : network_.widths(members[0]))
                list.push_back({members, Move::kBits, bits});
        }
        for (const Members& members : families) {
            const int64_t groups = network_.groups(members[0]);
            int64_t kept = allowed_kept(network_, members[0], kLeastKept);
            for (int k = 0; k < kFewCounts; ++k) {
                list.push_back({members, Move::kCount, groups - kept});
                if (kept == groups) break;
                kept = allowed_kept(network_, members[0], kept + 1);
            }
        }
        for (size_t b = 0; b < network_.branches.size(); ++b) {
            for (int64_t gone : {0, 1}) list.push_back({{b}, Move::kBranch, gone});
        }
        return list;
    }

    static void change(Point& point, const Move& move) {
        for (size_t k : move.members) {
            if (move.kind == Move::kBits) {
                point.bits[k] = static_cast<int>(move.value);
            } else if (move.kind == Move::kCount) {
                point.cut[k] = move.value;
            } else {
                point.gone[k] = static_cast<uint8_t>(move.value);
            }
        }
    }

    bool take_if_smaller() {
        const Score here = goal_(trial_);
        if (here >= least_) return false;
        least_ = here;
        point_ = trial_;
        return true;
    }

    bool try_all(const std::vector<Move>& list) {
        bool smaller = false;
        for (const Move& move : list) {
            trial_ = point_;
            change(trial_, move);
            smaller |= take_if_smaller();
        }
        return smaller;
    }

    bool try_pairs(const std::vector<Move>& list) {
        bool smaller = false;
        for (size_t a = 0; a < list.size(); ++a) {
            for (size_t b = 0; b < a; ++b) {
                trial_ = point_;
                change(trial_, list[a]);
                change(trial_, list[b]);
                smaller |= take_if_smaller();
            }
        }
        return smaller;
    }

    const Network& network_;
    Goal goal_;
    Point point_, trial_;
    Score least_;
};

Point smallest_point(const Network& network, const CostFunctions& costs, Quantity quantity) {
    Point least = least_point(network);
    if (quantity != Quantity::kFile) return least;
    Descent descent(
        network,
        [&](const Point& point) {
            const Shape shape = shape_of(network, point);
            return Score(0, static_cast<double>(costs.file(shape.cut, shape.bits)));
        },
        std::move(least));
    descent.run();
    return descent.point();
}

// The search for a plan that keeps several budgets.
class Combination {
  public:
    Combination(const Network& network, const CostFunctions& costs,
                const std::vector<Budget>& budgets)
        : network_(network), costs_(costs), budgets_(budgets), values_(budgets.size()) {
        starts_.push_back(least_point(network));
        for (const Budget& budget : budgets) {
            if (budget.quantity == Quantity::kFile) {
                starts_.push_back(smallest_point(network, costs, budget.quantity));
            }
        }
    }

    // The point of the least largest excess, and that.
    std::pair<Point, double> nearest() {
        std::pair<Point, double> best = {{}, std::numeric_limits<double>::infinity()};
        for (const Point& start : starts_) {
            Descent descent(
                network_, [this](const Point& point) { return excess(point); }, start);
            if (descent.score().first > 0) descent.run();
            const double here = descent.score().first;
            if (here < best.second) best = {descent.point(), here};
            if (here <= 0) break;
        }
        return best;
    }

    // The least of one budget that keeps all the others, if one is found.
    std::optional<int64_t> least_of(size_t budget) {
        std::optional<int64_t> least;
        for (const Point& start : starts_) {
            Descent descent(
                network_,
                [&](const Point& point) {
                    const Score others = excess(point, budget);
                    return Score(others.first, static_cast<double>(values_[budget]));
                },
                start);
            descent.run();
            if (descent.score().first > 0) continue;
            const Shape shape = shape_of(network_, descent.point());
            costs_of(budgets_, costs_, shape.cut, shape.bits, values_);
            least = std::min(least.value_or(values_[budget]), values_[budget]);
        }
        return least;
    }

  private:
    // The largest of what budgets are exceeded by, as shares of their limits, and their sum;
    // budget `but` counts for nothing. Leaves the costs in values_.
    Score excess(const Point& point, std::optional<size_t> but = std::nullopt) {
        const Shape shape = shape_of(network_, point);
        costs_of(budgets_, costs_, shape.cut, shape.bits, values_);
        Score score = {0, 0};
        for (size_t k = 0; k < budgets_.size(); ++k) {
            const int64_t over = values_[k] - budgets_[k].limit;
            if (k == but || over <= 0) continue;
            const double share = static_cast<double>(over) / budgets_[k].unit();
            score.first = std::max(score.first, share);
            score.second += share;
        }
        return score;
    }

    const Network& network_;
    const CostFunctions& costs_;
    const std::vector<Budget>& budgets_;
    std::vector<Point> starts_;
    std::vector<int64_t> values_;
};

// "file=175000,macs=20000000".
std::string text_of(const std::vector<Budget>& budgets) {
    std::string text;
    for (const Budget& budget : budgets) {
        text +=
            fmt::format("{}{}={}", text.empty() ? "" : ",", name_of(budget.quantity), budget.limit);
    }
    return text;
}

}  // namespace

Reachable reachable(const Network& network, const CostFunctions& costs, Quantity quantity) {
    Reachable result;
    result.quantity = quantity;
    result.smallest_plan = plan_of(network, smallest_point(network, costs, quantity));
    result.smallest = costs.cost(quantity, result.smallest_plan);
    result.middle = costs.cost(quantity, uniform_plan(network, 4));
    result.largest = costs.cost(quantity, uniform_plan(network, kMaxBits));
    return result;
}

std::optional<Plan> keeping_plan(const Network& network, const CostFunctions& costs,
                                 const std::vector<Budget>& budgets) {
    const auto [point, excess] = Combination(network, costs, budgets).nearest();
    if (excess > 0) return std::nullopt;
    return plan_of(network, point);
}

std::vector<Budget> nearest_reachable(const Network& network, const CostFunctions& costs,
                                      const std::vector<Budget>& budgets) {
    Combination combination(network, costs, budgets);
    const auto [point, excess] = combination.nearest();
    if (excess <= 0) return budgets;
    std::vector<Budget> nearest = budgets;
    double smallest = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < budgets.size(); ++k) {
        const auto least = combination.least_of(k);
        if (!least) continue;
        const double share = static_cast<double>(*least) / budgets[k].unit();
        if (share >= smallest) continue;
        smallest = share;
        nearest = budgets;
        nearest[k].limit = std::max(*least, budgets[k].limit);
    }
    if (smallest < std::numeric_limits<double>::infinity()) return nearest;
    std::vector<int64_t> values(budgets.size());
    const Shape shape = shape_of(network, point);
    costs_of(budgets, costs, shape.cut, shape.bits, values);
    for (size_t k = 0; k < budgets.size(); ++k) {
        nearest[k].limit = std::max(values[k], budgets[k].limit);
    }
    return nearest;
}

void require_satisfiable(const Network& network, const CostFunctions& costs,
                         const std::vector<Budget>& budgets) {
    std::vector<Budget> beyond, smallest;
    for (const Budget& budget : budgets) {
        const Reachable range = reachable(network, costs, budget.quantity);
        if (range.smallest <= budget.limit) continue;
        beyond.push_back(budget);
        smallest.push_back({budget.quantity, range.smallest});
    }
    if (!beyond.empty()) {
        throw InputError("--budget: {} cannot be reached: the smallest reachable {} {}",
                         text_of(beyond), beyond.size() > 1 ? "are, each alone," : "is",
                         text_of(smallest));
    }
    if (budgets.size() < 2 || keeping_plan(network, costs, budgets)) return;
    const std::vector<Budget> nearest = nearest_reachable(network, costs, budgets);
    std::vector<Budget> larger;
    for (size_t k = 0; k < budgets.size(); ++k) {
        if (nearest[k].limit > budgets[k].limit) larger.push_back(nearest[k]);
    }
    throw InputError(
        "--budget: each of {} can be reached, but no plan was found that keeps them all: the "
        "nearest reachable is {} ({} at least)",
        text_of(budgets), text_of(nearest), text_of(larger));
}

}  // namespace adiabat::plan
