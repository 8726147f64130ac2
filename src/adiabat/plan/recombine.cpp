// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/recombine.h"

#include <cstdint>
#include <vector>

namespace adiabat::plan {

Plan recombined(const Network& network, const Plan& a, const Plan& b, Random& random) {
    Plan plan = a;
    std::vector<uint8_t> takes(network.branches.size());
    for (auto& branch : takes) branch = random.below(2) != 0;
    const auto from_other = [&](int branch) {
        return branch >= 0 ? takes[static_cast<size_t>(branch)] != 0 : random.below(2) != 0;
    };
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        if (from_other(network.branch_of_family(f))) plan.cut[f] = b.cut[f];
    }
    for (size_t k = 0; k < plan.bits.size(); ++k) {
        if (from_other(network.branch_of_layer(k))) plan.bits[k] = b.bits[k];
    }
    return plan;
}

}  // namespace adiabat::plan
