// SPDX-License-Identifier: Apache-2.0
#pragma once

// Test support: random cuts, and what is counted of a graph that was cut.

#include <cstdint>
#include <set>
#include <vector>

#include "adiabat/base/random.h"
#include "adiabat/net/coupling.h"

namespace adiabat::apply {

// About `share` of the groups; one of each family stays. One entry a group.
inline std::vector<uint8_t> random_cut(const net::Coupling& coupling, double share,
                                       Random& random) {
    std::vector<uint8_t> cut(coupling.groups.size(), 0);
    for (const net::GroupFamily& family : coupling.families) {
        const uint32_t stays = random.below(static_cast<uint32_t>(family.groups.size()));
        for (size_t k = 0; k < family.groups.size(); ++k) {
            cut[static_cast<size_t>(family.groups[k])] = k != stays && random.uniform() < share;
        }
    }
    return cut;
}

// How many groups of each family are cut.
inline std::vector<int64_t> counts_of(const net::Coupling& coupling,
                                      const std::vector<uint8_t>& cut) {
    std::vector<int64_t> counts(coupling.families.size(), 0);
    for (size_t g = 0; g < cut.size(); ++g) {
        counts[static_cast<size_t>(coupling.groups[g].family)] += cut[g];
    }
    return counts;
}

// Elements of all float constants that nodes read, each once; scalars are no parameters.
inline int64_t parameters_of(const net::Graph& graph) {
    std::set<net::ValueId> seen;
    int64_t count = 0;
    for (const net::Node& node : graph.nodes) {
        if (node.op == "Resize" || node.op == "Upsample") continue;
        for (net::ValueId id : node.inputs) {
            const net::Tensor* tensor = graph.constant(id);
            if (tensor && tensor->type == net::DType::kFloat && !tensor->shape.empty() &&
                seen.insert(id).second) {
                count += tensor->size();
            }
        }
    }
    return count;
}

}  // namespace adiabat::apply
