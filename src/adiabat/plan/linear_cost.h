// SPDX-License-Identifier: Apache-2.0
#pragma once

// What plans cost to first order at one of them, as a linear function of an encoding's variables:
//
//   cost ~ constant + sum_i terms_i x_i
//
// An amount for each group of a family (half the difference between the next count above and the
// next below), an amount for each width of a layer (spread over the bits of its words by least
// squares where they are no one-hot ones), an amount for each branch (what it costs at the plan;
// what is its own counts for nothing where it is gone there); equal to the cost at the plan itself.
// Exact for one-hot layers one at a time; products, which real costs have, are what is left out.
// O(families + widths) costs.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "adiabat/plan/hamiltonian.h"

namespace adiabat::plan {

struct LinearCost {
    double constant = 0;
    std::vector<double> terms;  // one a variable

    double value(std::span<const uint8_t> x) const;
};

// By how many groups of each family are cut, and the bits of each layer (CostFunctions::cost).
using PlanCost = std::function<double(std::span<const int64_t> cut, std::span<const int> bits)>;

LinearCost linear_cost(const Network& network, const Encoding& encoding,
                       std::span<const int64_t> cut, std::span<const int> bits,
                       const PlanCost& cost);

// The least value of any plan that the network allows, and the largest. O(variables).
struct LinearRange {
    double least = 0, most = 0;
};
LinearRange range_of(const Network& network, const Encoding& encoding, const LinearCost& cost);

}  // namespace adiabat::plan
