// SPDX-License-Identifier: Apache-2.0
#pragma once

// A lower bound of the energies of a domain's plans that keep the budgets, by simplicial
// decomposition.
//
// Plans are corners of a polytope, each with its energy and cost; what is minimized is the convex
// energy g (convex_energy.h) over mixtures z of plans whose mean cost keeps the budgets. A few
// corners are at work. In turn: the best mixture of these (coordinate pairs; budgets by augmented
// Lagrangian terms with multipliers lambda); the plan that is cheapest for the gradient of g there
// and lambda (cheapest.h), exactly, which becomes a corner. Its value is a bound whatever z and
// lambda are:
//
//   g(z) + min over plans x of [grad g(z).(x - z) + lambda (cost(x) - 1)]  <=  energies
//
// so that nothing has to have converged. g is that of the domain, with what it gives back.
// O(corners^2) a mixture, a cheapest plan a turn.
//
// Sources: M. Frank, P. Wolfe (1956) for the tangent; B. von Hohenbalken, "Simplicial decomposition
// in nonlinear programming algorithms" (1977); M. Hestenes (1969) and M. Powell (1969) for the
// multipliers.

#include <Eigen/Core>
#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "adiabat/anneal/watch.h"
#include "adiabat/plan/cheapest.h"
#include "adiabat/plan/convex_energy.h"

namespace adiabat::plan {

// A plan as the relaxation sees it.
struct Corner {
    Plan plan;
    std::vector<uint8_t> x;
    std::vector<double> costs;  // of the layers, one a budget; 1 is the limit
    Eigen::VectorXd hx;         // H x
    double linear = 0;          // b.x

    // g(x): the plan's energy is no less.
    double energy(const ConvexEnergy& g) const;
};
using Corners = std::vector<std::shared_ptr<const Corner>>;

struct RelaxOptions {
    // No more effort where the bound is above it.
    double cutoff = std::numeric_limits<double>::infinity();
    // Ends where bound and mixture are this near, in parts of what the mixture is below the cutoff.
    double precision = 0.1;
    int turns = 400;
};

struct Relaxed {
    double bound = 0;                 // no plan of the domain within the budgets is lower
    double value = 0;                 // of the mixture, its excess over the budgets priced: no less
    Corners corners;                  // at work
    std::vector<double> shares;       // of each corner in the mixture
    std::vector<double> multipliers;  // one a budget, energy
    Eigen::VectorXd z, hz, gradient;  // of the mixture
    double tangent = 0;  // bound = tangent + the least of [gradient.x + multipliers.cost(x)]
};

class Relaxation {
  public:
    // All must outlive it.
    Relaxation(const Network& network, const Encoding& encoding, const ConvexEnergy& energy,
               const CheapestPlans& cheapest);

    // Of a tightened domain, starting with those of the given corners that lie in it. Every plan
    // that is found is shown to `visit`.
    Relaxed solve(const Domain& domain, const Relaxed& start, const RelaxOptions& options,
                  const std::function<void(const Corner&)>& visit,
                  const anneal::Watch& watch) const;

    std::shared_ptr<const Corner> corner(const Plan& plan, std::vector<double> costs) const;
    // Of its layers, as the cheapest plans count.
    std::vector<double> costs_of(const Plan& plan) const;

  private:
    const Network& network_;
    const Encoding& encoding_;
    const ConvexEnergy& energy_;
    const CheapestPlans& cheapest_;
};

}  // namespace adiabat::plan
