// SPDX-License-Identifier: Apache-2.0
#pragma once

// The plan of least linear energy and priced cost in a domain, exactly:
//
//   min over plans of  w.x + sum_k lambda_k cost_k(plan)
//
// Which groups go is a matter of sorting: the c cheapest of a family, so that a family is the least
// sum of c weights, a function of its count; a layer is a function of the counts of the families on
// its axes, its best width put in; what is a branch's own is besides a function of whether that
// goes; and the sum of these is minimized by elimination (elimination.h). Costs are those of
// layer_costs.h. On ResNet-20 milliseconds.
//
// Margins say how much more each single decision costs at least: what branch and bound settles.

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/plan/domain.h"
#include "adiabat/plan/elimination.h"
#include "adiabat/plan/layer_costs.h"

namespace adiabat::plan {

struct Prices {
    std::span<const double> weights;      // w, one a variable of the encoding
    std::span<const double> multipliers;  // lambda, one a budget
};

struct Cheapest {
    double value = 0;           // the least sum
    Plan plan;                  // that has it
    std::vector<double> costs;  // of its layers, one a budget
};

// At least this much is the sum in plans with that decision; infinite where there are none.
struct Margins {
    std::vector<std::vector<double>> counts;     // of each family, one entry a count 0 .. groups
    std::vector<std::vector<double>> cut, kept;  // of each family, one entry a group
    std::vector<std::vector<double>> widths;     // of each layer, one entry a width
    std::vector<double> gone, there;             // of each branch
};

class CheapestPlans {
  public:
    // All must outlive it.
    CheapestPlans(const Network& network, const Encoding& encoding, const LayerCosts& costs)
        : network_(network), encoding_(encoding), costs_(costs) {}

    // Of a tightened domain; what belongs to no layer is counted once.
    Cheapest find(const Domain& domain, const Prices& prices) const;
    Margins margins(const Domain& domain, const Prices& prices) const;
    const LayerCosts& costs() const { return costs_; }
    const Encoding& encoding() const { return encoding_; }

  private:
    struct Family;
    struct Layer;
    struct Sum;
    using Options = std::vector<std::vector<size_t>>;
    Sum sum(const Domain& domain, const Prices& prices) const;
    Family family(const Domain& domain, const Prices& prices, size_t f) const;
    Layer layer(const Domain& domain, const Prices& prices, const Options& options, size_t l) const;
    void add_total(size_t t, Sum& sum) const;
    void add_branch(const Domain& domain, const Prices& prices, size_t b, Sum& sum) const;
    double rest(const Domain& domain, const Prices& prices) const;

    const Network& network_;
    const Encoding& encoding_;
    const LayerCosts& costs_;
};

}  // namespace adiabat::plan
