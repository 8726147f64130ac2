// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/certificate.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <queue>
#include <utility>

#include "adiabat/anneal/bounds/convex_bound.h"
#include "adiabat/base/errors.h"
#include "adiabat/plan/branching.h"
#include "adiabat/plan/reformulation.h"
#include "adiabat/plan/relaxation.h"

namespace adiabat::plan {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Energies this near, in parts of the energy, are one.
constexpr double kRounding = 1e-9;
constexpr int kRootTurns = 2000, kTurns = 60;
constexpr double kRootPrecision = 0.02, kPrecision = 0.2;
// Of the root: how many, and how many that gain less than a part of the energy.
constexpr int kRootEnergies = 8, kIdleEnergies = 2;
constexpr double kWorthwhile = 2e-3;
constexpr double kLeastStart = 10;  // seconds that the first bound may take

// A part of all plans.
struct Part {
    Domain domain;
    double bound = -kInfinity;
    std::shared_ptr<const Relaxed> parent;
    int64_t number = 0;

    // The lowest bound on top, of equal ones the latest.
    static bool is_behind(const Part& a, const Part& b) {
        return a.bound != b.bound ? a.bound > b.bound : a.number < b.number;
    }
};

class Tree {
  public:
    Tree(const Network& network, const Hamiltonian& hamiltonian, const std::vector<Budget>& budgets,
         const CostFunctions& costs, const CertifyOptions& options, const StopToken& stop)
        : network_(network),
          hamiltonian_(hamiltonian),
          budgets_(budgets),
          costs_(costs),
          options_(options),
          layer_costs_(network, budgets, costs),
          cheapest_(network, hamiltonian.encoding, layer_costs_),
          watch_(stop, options.time_limit, {}, no_progress()),
          start_(stop, std::max(options.time_limit, kLeastStart), {}, no_progress()) {}

    Certificate run(const Plan& plan, ProgressSink& progress) {
        best_ = plan;
        energy_ = hamiltonian_.energy(network_, plan);
        Part root{all_plans(network_), -kInfinity, nullptr, 0};
        Relaxed relaxed = bound_root(root);
        root_bound_ = std::min(relaxed.bound, energy_);
        close(std::move(root), std::move(relaxed));
        progress.begin("prove", 0, "parts");
        while (!open_.empty() && !watch_.over() && gap() > options_.gap) {
            std::pop_heap(open_.begin(), open_.end(), Part::is_behind);
            Part part = std::move(open_.back());
            open_.pop_back();
            popped_ = part.bound;
            if (part.bound < cutoff()) explore(std::move(part));
            popped_ = kInfinity;
            if (nodes_ % 16 == 0) show(progress);
        }
        show(progress);
        progress.end();
        return certificate();
    }

  private:
    void show(ProgressSink& progress) const {
        progress.update(static_cast<uint64_t>(nodes_), fmt::format("gap {:.2f} %", 100 * gap()));
    }
    double rounding() const { return kRounding * std::abs(energy_); }
    // A bound above it says that nothing better is there.
    double cutoff() const { return energy_ - rounding(); }

    double bound() const {
        double bound = std::min(energy_, popped_);
        if (!open_.empty()) bound = std::min(bound, open_.front().bound);
        return bound;
    }
    double gap() const {
        const double size = std::max(std::abs(energy_), 1e-300);
        return (energy_ - bound()) / size;
    }

    Certificate certificate() const {
        Certificate result{best_, energy_,       bound(), root_bound_,
                           gap(), open_.empty(), nodes_,  watch_.seconds()};
        if (bound() >= cutoff()) result.is_optimal = true;
        if (result.is_optimal) {
            result.bound = std::min(energy_, energy_ - rounding());
            result.gap = 0;
        }
        return result;
    }

    void visit(const Corner& corner) {
        if (corner.energy(*convex_) >= cutoff()) return;
        const double energy = hamiltonian_.energy(network_, corner.plan);
        if (energy >= cutoff() || !is_feasible(budgets_, costs_, corner.plan)) return;
        best_ = corner.plan;
        energy_ = energy;
    }

    // Bounds the root with another convex energy, from the mixture `last` on.
    Relaxed relax_root(const Part& root, const Relaxed& last, const anneal::Watch& watch) {
        relaxation_.emplace(network_, hamiltonian_.encoding, *convex_, cheapest_);
        Relaxed start;
        start.multipliers = last.multipliers;
        for (size_t c = 0; c < last.corners.size(); ++c) {
            const Corner& corner = *last.corners[c];
            start.corners.push_back(relaxation_->corner(corner.plan, corner.costs));
            start.shares.push_back(last.shares[c]);
        }
        if (last.corners.empty()) {
            start.corners.push_back(relaxation_->corner(best_, relaxation_->costs_of(best_)));
            start.shares.push_back(1);
        }
        ++nodes_;
        return relaxation_->solve(
            root.domain, start, {cutoff(), kRootPrecision, kRootTurns},
            [this](const Corner& c) { visit(c); }, watch);
    }

    // The energy that loses least at 1/2, then at the mixtures where the bounds before it ended;
    // the best stays.
    Relaxed bound_root(const Part& root) {
        Reformulation reformulation(hamiltonian_, options_.seed);
        std::vector<double> z(static_cast<size_t>(hamiltonian_.encoding.variables), 0.5);
        std::unique_ptr<ConvexEnergy> best_convex;
        Relaxed best, last;
        best.bound = -kInfinity;
        for (int k = 0, idle = 0; k < kRootEnergies && idle < kIdleEnergies; ++k) {
            // Half a bound says nothing.
            const anneal::Watch& watch = k == 0 ? start_ : watch_;
            convex_ = std::make_unique<ConvexEnergy>(reformulation.at(z, watch));
            last = relax_root(root, last, watch);
            const double gain = last.bound - best.bound;
            idle = gain > kWorthwhile * std::abs(energy_) ? 0 : idle + 1;
            if (!best_convex || gain > 0) {
                best = last;
                best_convex = std::move(convex_);
            }
            if (best.bound >= cutoff() || watch_.over()) break;
            for (size_t i = 0; i < z.size(); ++i) {
                const double now = last.z[static_cast<Eigen::Index>(i)];
                z[i] = k == 0 ? now : (z[i] + now) / 2;
            }
        }
        convex_ = std::move(best_convex);
        relaxation_.emplace(network_, hamiltonian_.encoding, *convex_, cheapest_);
        return best;
    }

    // What is left of the part once its bound is known.
    void close(Part part, Relaxed relaxed) {
        part.bound = std::max(part.bound, relaxed.bound);
        if (part.bound >= cutoff()) return;
        if (!settle(network_, cheapest_, relaxed, cutoff(), part.domain)) return;
        const auto parent = std::make_shared<const Relaxed>(std::move(relaxed));
        std::vector<Domain> parts = divide(network_, *parent, cheapest_, part.domain);
        if (parts.empty()) visit(*relaxation_->corner(only_plan(network_, part.domain), {}));
        for (Domain& domain : parts) {
            if (!tighten(network_, domain)) continue;
            open_.push_back({std::move(domain), part.bound, parent, ++numbers_});
            std::push_heap(open_.begin(), open_.end(), Part::is_behind);
        }
    }

    void explore(Part part) {
        if (layer_costs_.breaks_activations(part.domain)) return;
        if (part.domain.is_one_shape() && !keeps_budgets(part.domain)) return;
        ++nodes_;
        const RelaxOptions options{cutoff(), kPrecision, kTurns};
        Relaxed relaxed = relaxation_->solve(
            part.domain, *part.parent, options, [this](const Corner& c) { visit(c); }, watch_);
        if (watch_.over()) {
            part.bound = std::max(part.bound, relaxed.bound);
            open_.push_back(std::move(part));
            std::push_heap(open_.begin(), open_.end(), Part::is_behind);
            return;
        }
        close(std::move(part), std::move(relaxed));
    }

    bool keeps_budgets(const Domain& domain) const {
        std::vector<int64_t> cut;
        for (const auto& counts : domain.cut) cut.push_back(counts.least);
        return is_feasible(budgets_, costs_, cut, domain.bits(network_));
    }

    const Network& network_;
    const Hamiltonian& hamiltonian_;
    const std::vector<Budget>& budgets_;
    const CostFunctions& costs_;
    const CertifyOptions& options_;
    LayerCosts layer_costs_;
    CheapestPlans cheapest_;
    anneal::Watch watch_, start_;  // from when the costs are known
    std::unique_ptr<ConvexEnergy> convex_;
    std::optional<Relaxation> relaxation_;
    Plan best_;
    double energy_ = 0, root_bound_ = -kInfinity, popped_ = kInfinity;
    std::vector<Part> open_;  // a heap
    int64_t nodes_ = 0, numbers_ = 0;
};

}  // namespace

bool can_certify(const Hamiltonian& hamiltonian) {
    return hamiltonian.encoding.variables <= anneal::kMostConvexVariables;
}

Certificate certify(const Network& network, const Hamiltonian& hamiltonian,
                    const std::vector<Budget>& budgets, const CostFunctions& costs,
                    const Plan& plan, const CertifyOptions& options, const StopToken& stop,
                    ProgressSink& progress) {
    check_plan(network, plan);
    ADIABAT_CHECK(can_certify(hamiltonian), "{} variables", hamiltonian.encoding.variables);
    ADIABAT_CHECK(is_feasible(budgets, costs, plan),
                  "a certificate of a plan that breaks a budget");
    return Tree(network, hamiltonian, budgets, costs, options, stop).run(plan, progress);
}

std::string to_sentence(const Certificate& certificate) {
    if (certificate.is_optimal) return "no plan within the budgets has a lower energy: proven";
    // A share says nothing where the bound is of another sign, or the energy next to nothing.
    if (certificate.gap > 1) {
        return fmt::format(
            "no plan within the budgets can have an energy below {:.3g}; this one has {:.3g}",
            certificate.bound, certificate.energy);
    }
    return fmt::format(
        "no plan within the budgets can have an energy more than {:.2g} % below this one",
        100 * certificate.gap);
}

}  // namespace adiabat::plan
