// SPDX-License-Identifier: Apache-2.0
#pragma once

// A part of all plans: how many groups of each family may be cut, which widths each layer may have,
// and single groups and branches that are settled. What branch and bound divides. Of a plan without
// a branch its assignment counts (hamiltonian.h): nothing of the branch is cut, and its layers are
// as wide as they may be.

#include <cstdint>
#include <vector>

#include "adiabat/plan/hamiltonian.h"
#include "adiabat/plan/plan.h"

namespace adiabat::plan {

enum class Settled : uint8_t { kKept, kCut, kFree };

struct Domain {
    struct Counts {
        int64_t least = 0, most = 0;  // groups cut, both allowed
        bool is_one() const { return least == most; }
    };
    std::vector<Counts> cut;                    // one a family
    std::vector<std::vector<Settled>> settled;  // one entry a group
    std::vector<std::vector<uint8_t>> allowed;  // of each layer, one entry a width of the network
    std::vector<Settled> branches;              // kCut: it goes

    // Counts and widths have one value each, and branches are settled.
    bool is_one_shape() const;
    bool may_go(size_t branch) const { return branches[branch] != Settled::kKept; }
    // The bits of plans of one shape, or with all branches gone that may be.
    std::vector<int> bits(const Network& network) const;
    int64_t widths_left(size_t layer) const;
    bool contains(const Network& network, const Plan& plan) const;
};

Domain all_plans(const Network& network);
Domain one_plan(const Network& network, const Plan& plan);
// Of a tightened domain that has one shape and no free group.
Plan only_plan(const Network& network, const Domain& domain);

// What the variables of an assignment are in all plans of a tightened domain; kCut: 1.
std::vector<Settled> settled_variables(const Network& network, const Encoding& encoding,
                                       const Domain& domain);

// Draws counts and settled groups together: counts to what settled groups and alignment leave,
// groups to what counts leave; and branches with what is their own. False where nothing is left.
bool tighten(const Network& network, Domain& domain);

}  // namespace adiabat::plan
