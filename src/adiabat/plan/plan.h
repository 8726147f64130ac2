// SPDX-License-Identifier: Apache-2.0
#pragma once

// A plan: which channel groups go and how many bits each layer keeps; and the network that plans
// are made for.

#include <cstdint>
#include <vector>

#include "adiabat/net/cost_model.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/layers.h"

namespace adiabat::plan {

inline constexpr int kMinBits = 2;
inline constexpr int kMaxBits = 8;
// A family keeps at least so many groups, so that no layer loses all its channels.
inline constexpr int64_t kLeastKept = 1;

struct Plan {
    std::vector<int> bits;                  // one a layer, kMinBits to kMaxBits
    std::vector<std::vector<uint8_t>> cut;  // one a family, 1 where a group goes

    bool operator==(const Plan&) const = default;
};

// What a plan decides on: the layers of a graph and their channel groups. The graph must outlive
// it, and it must not be moved.
struct Network {
    Network(const net::Graph& graph, const net::CouplingOptions& options = {}, int64_t align = 1);
    Network(const Network&) = delete;
    Network& operator=(const Network&) = delete;

    std::vector<net::Layer> layers;
    net::Coupling coupling;
    net::CostModel costs;
    // A layer that is cut keeps a multiple of so many filters.
    int64_t align = 1;

    size_t families() const { return coupling.families.size(); }
    int64_t groups(size_t family) const { return std::ssize(coupling.families[family].groups); }
    // A family that is cut keeps a multiple of so many groups. All of them where `align` lets none
    // go: where it shares a layer with a family whose filters are no multiple.
    int64_t group_step(size_t family) const { return steps[family]; }
    // Families on a layer's filter axis and on its input axis, with indices a group; empty where
    // nothing is cut there.
    const std::vector<net::AxisLabels::Share>& filter_shares(size_t layer) const;
    const std::vector<net::AxisLabels::Share>& input_shares(size_t layer) const;
    // The group of each filter of a layer, kStays where it is never cut; empty for no cuts.
    const std::vector<net::GroupId>& filter_groups(size_t layer) const;

  private:
    void align_families();

    std::vector<int64_t> steps;
};

// Nothing cut, `bits` everywhere.
Plan uniform_plan(const Network& network, int bits);

int64_t cut_count(const Plan& plan, size_t family);
// One entry a family.
std::vector<int64_t> cut_counts(const Plan& plan);

// The plan as apply/cut.h takes it: one entry a group of the coupling.
std::vector<uint8_t> cut_flags(const Network& network, const Plan& plan);

// Every layer as the plan leaves it, and what the network then costs.
std::vector<net::LayerState> states(const Network& network, const Plan& plan);
net::Cost cost(const Network& network, const Plan& plan);

// The count of groups that stay nearest to `kept` from above that `align` allows.
int64_t allowed_kept(const Network& network, size_t family, int64_t kept);

// Throws InternalError unless the plan fits the network and every family keeps what it must.
void check_plan(const Network& network, const Plan& plan);

}  // namespace adiabat::plan
