// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/relaxation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "adiabat/base/errors.h"
#include "adiabat/plan/mixture.h"

namespace adiabat::plan {

namespace {

constexpr size_t kMostCorners = 400;
constexpr int64_t kPairsACorner = 30;
constexpr int kIdleTurns = 25;  // without a share, then a corner goes

double dot(std::span<const uint8_t> x, const Eigen::VectorXd& v) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        if (x[i]) sum += v[static_cast<Eigen::Index>(i)];
    }
    return sum;
}

}  // namespace

double Corner::energy(const ConvexEnergy& g) const {
    return g.constant() + linear + dot(x, hx) / 2;
}

Relaxation::Relaxation(const Network& network, const Encoding& encoding, const ConvexEnergy& energy,
                       const CheapestPlans& cheapest)
    : network_(network), encoding_(encoding), energy_(energy), cheapest_(cheapest) {}

std::shared_ptr<const Corner> Relaxation::corner(const Plan& plan,
                                                 std::vector<double> costs) const {
    auto corner = std::make_shared<Corner>();
    corner->plan = plan;
    corner->x = encode(network_, encoding_, plan);
    corner->costs = std::move(costs);
    corner->hx = Eigen::VectorXd::Zero(energy_.variables());
    for (size_t i = 0; i < corner->x.size(); ++i) {
        if (corner->x[i]) corner->hx += energy_.curvature().col(static_cast<Eigen::Index>(i));
    }
    corner->linear = dot(corner->x, energy_.linear());
    return corner;
}

std::vector<double> Relaxation::costs_of(const Plan& plan) const {
    const Domain one = one_plan(network_, plan);
    const std::vector<double> weights(static_cast<size_t>(encoding_.variables));
    const std::vector<double> multipliers(cheapest_.costs().budgets());
    return cheapest_.find(one, {weights, multipliers}).costs;
}

namespace {

// The corners at work and their mixture.
class Work {
  public:
    Work(const ConvexEnergy& energy, ConvexEnergy::GivenBack back, std::vector<double> rest,
         double stiffness, std::vector<double> multipliers)
        : energy_(energy),
          constant_(energy.constant() + back.constant),
          linear_(energy.linear() + back.linear),
          back_(std::move(back.linear)),
          rest_(std::move(rest)),
          mixture_(rest_.size(), stiffness, std::move(multipliers)) {}

    bool has(const Corner& corner) const {
        return std::any_of(corners_.begin(), corners_.end(),
                           [&](const auto& other) { return other->x == corner.x; });
    }
    void add(const std::shared_ptr<const Corner>& corner) {
        corners_.push_back(corner);
        idle_.push_back(0);
        std::vector<double> products, excess;
        for (const auto& other : corners_) products.push_back(dot(other->x, corner->hx));
        for (size_t k = 0; k < rest_.size(); ++k) {
            excess.push_back(corner->costs[k] + rest_[k] - 1);
        }
        mixture_.add(corner->linear + dot(corner->x, back_), products, excess);
    }
    void drop_idle() {
        std::vector<uint8_t> stays;
        bool drops = false;
        for (size_t i = 0; i < corners_.size(); ++i) {
            idle_[i] = mixture_.shares()[i] > 0 ? 0 : idle_[i] + 1;
            const int most = corners_.size() > kMostCorners ? 1 : kIdleTurns;
            stays.push_back(idle_[i] <= most);
            drops = drops || !stays.back();
        }
        if (!drops) return;
        mixture_.keep(stays);
        size_t end = 0;
        for (size_t i = 0; i < corners_.size(); ++i) {
            if (!stays[i]) continue;
            corners_[end] = corners_[i];
            idle_[end++] = idle_[i];
        }
        corners_.resize(end);
        idle_.resize(end);
    }
    Mixture& mixture() { return mixture_; }
    const Corners& corners() const { return corners_; }

    // z, H z, gradient, value and tangent, anew in double.
    void describe(Relaxed& relaxed) const {
        const Eigen::Index n = energy_.variables();
        relaxed.z = relaxed.hz = Eigen::VectorXd::Zero(n);
        const auto& shares = mixture_.shares();
        for (size_t c = 0; c < corners_.size(); ++c) {
            if (shares[c] == 0) continue;
            const auto& x = corners_[c]->x;
            for (Eigen::Index i = 0; i < n; ++i) {
                if (x[static_cast<size_t>(i)]) relaxed.z[i] += shares[c];
            }
        }
        relaxed.hz = energy_.curvature() * relaxed.z;
        relaxed.gradient = linear_ + relaxed.hz;
        const double square = relaxed.z.dot(relaxed.hz) / 2;
        relaxed.multipliers = mixture_.multipliers();
        relaxed.value = constant_ + linear_.dot(relaxed.z) + square;
        for (size_t k = 0; k < rest_.size(); ++k) {
            relaxed.value += relaxed.multipliers[k] * mixture_.excess()[k];
        }
        relaxed.tangent = constant_ - square - energy_.rounding();
        for (double multiplier : relaxed.multipliers) relaxed.tangent -= multiplier;
        relaxed.corners = corners_;
        relaxed.shares = shares;
    }

  private:
    const ConvexEnergy& energy_;
    double constant_;
    Eigen::VectorXd linear_, back_;
    std::vector<double> rest_;
    Corners corners_;
    std::vector<int> idle_;
    Mixture mixture_;
};

}  // namespace

Relaxed Relaxation::solve(const Domain& domain, const Relaxed& start, const RelaxOptions& options,
                          const std::function<void(const Corner&)>& visit,
                          const anneal::Watch& watch) const {
    const size_t budgets = cheapest_.costs().budgets();
    std::vector<double> multipliers = start.multipliers;
    multipliers.resize(budgets);
    const double stiffness =
        20 * std::max(1e-12, std::isfinite(options.cutoff) ? std::abs(options.cutoff) : 1.0);
    Work work(energy_, energy_.given_back(settled_variables(network_, encoding_, domain)),
              cheapest_.costs().rest(domain), stiffness, multipliers);
    std::vector<double> shares;
    double sum = 0;
    for (size_t c = 0; c < start.corners.size(); ++c) {
        if (!domain.contains(network_, start.corners[c]->plan)) continue;
        work.add(start.corners[c]);
        shares.push_back(c < start.shares.size() ? start.shares[c] : 0);
        sum += shares.back();
    }
    if (sum > 0) {
        for (double& share : shares) share /= sum;
        work.mixture().set_shares(shares);
    }
    const auto ask = [&](const Eigen::VectorXd& weights, const std::vector<double>& prices) {
        return cheapest_.find(domain,
                              {{weights.data(), static_cast<size_t>(weights.size())}, prices});
    };
    if (work.corners().empty()) {
        const Cheapest first = ask(energy_.linear(), multipliers);
        work.add(corner(first.plan, first.costs));
        visit(*work.corners().back());
    }

    Relaxed best, now;
    best.bound = -std::numeric_limits<double>::infinity();
    double precision = 1e-3 * std::max(1e-12, stiffness / 20);
    for (int turn = 0; turn < options.turns; ++turn) {
        work.mixture().improve(precision,
                               kPairsACorner * static_cast<int64_t>(work.corners().size() + 8));
        work.describe(now);
        const Cheapest found = ask(now.gradient, now.multipliers);
        now.bound = now.tangent + found.value;
        if (now.bound > best.bound) best = now;
        const double open = now.value - best.bound;
        precision = std::clamp(open * 0.05, 1e-13 * stiffness, precision);
        if (best.bound >= options.cutoff || watch.over()) break;
        auto next = corner(found.plan, found.costs);
        visit(*next);
        if (now.value < options.cutoff && open <= options.precision * (options.cutoff - now.value))
            break;
        if (open <= 1e-10 * stiffness) break;
        if (!work.has(*next)) work.add(next);
        work.drop_idle();
    }
    best.corners = now.corners;
    best.shares = now.shares;
    return best;
}

}  // namespace adiabat::plan
