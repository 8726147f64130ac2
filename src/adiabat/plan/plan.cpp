// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/plan.h"

#include <algorithm>
#include <numeric>

namespace adiabat::plan {

namespace {

const std::vector<net::AxisLabels::Share>& shares_on(const Network& network, size_t layer,
                                                     int axis) {
    static const std::vector<net::AxisLabels::Share> none;
    const auto* labels = network.coupling.labels_of(network.layers[layer].weight, axis);
    return labels ? labels->shares : none;
}

}  // namespace

Network::Network(const net::Graph& graph, const net::CouplingOptions& options, int64_t alignment)
    : layers(net::find_layers(graph)),
      coupling(net::find_coupling(graph, options)),
      costs(graph, coupling, layers),
      align(alignment) {}

int64_t Network::group_step(size_t family) const {
    const int64_t channels = std::max<int64_t>(coupling.families[family].channels, 1);
    return align / std::gcd(align, channels);
}

const std::vector<net::AxisLabels::Share>& Network::filter_shares(size_t layer) const {
    return shares_on(*this, layer, layers[layer].filter_axis);
}

const std::vector<net::AxisLabels::Share>& Network::input_shares(size_t layer) const {
    return shares_on(*this, layer, 1 - layers[layer].filter_axis);
}

const std::vector<net::GroupId>& Network::filter_groups(size_t layer) const {
    static const std::vector<net::GroupId> none;
    const net::Layer& facts = layers[layer];
    const auto* labels = coupling.labels_of(facts.weight, facts.filter_axis);
    return labels ? labels->groups : none;
}

Plan uniform_plan(const Network& network, int bits) {
    Plan plan;
    plan.bits.assign(network.layers.size(), bits);
    for (const net::GroupFamily& family : network.coupling.families) {
        plan.cut.emplace_back(family.groups.size());
    }
    return plan;
}

int64_t cut_count(const Plan& plan, size_t family) {
    return std::accumulate(plan.cut[family].begin(), plan.cut[family].end(), int64_t{0});
}

std::vector<int64_t> cut_counts(const Plan& plan) {
    std::vector<int64_t> counts;
    for (size_t f = 0; f < plan.cut.size(); ++f) counts.push_back(cut_count(plan, f));
    return counts;
}

std::vector<uint8_t> cut_flags(const Network& network, const Plan& plan) {
    std::vector<uint8_t> flags;
    for (const net::ChannelGroup& group : network.coupling.groups) {
        flags.push_back(
            plan.cut[static_cast<size_t>(group.family)][static_cast<size_t>(group.member)]);
    }
    return flags;
}

std::vector<net::LayerState> states(const Network& network, const Plan& plan) {
    const auto counts = cut_counts(plan);
    std::vector<net::LayerState> result;
    for (size_t k = 0; k < network.layers.size(); ++k) {
        result.push_back(network.costs.state(k, counts, plan.bits[k]));
    }
    return result;
}

net::Cost cost(const Network& network, const Plan& plan) {
    return network.costs.cost(cut_counts(plan), plan.bits);
}

int64_t allowed_kept(const Network& network, size_t family, int64_t kept) {
    const int64_t step = network.group_step(family);
    kept = std::max(kept, kLeastKept);
    return std::min((kept + step - 1) / step * step, network.groups(family));
}

void check_plan(const Network& network, const Plan& plan) {
    ADIABAT_CHECK(
        plan.bits.size() == network.layers.size() && plan.cut.size() == network.families(),
        "a plan of {} layers and {} families for {} and {}", plan.bits.size(), plan.cut.size(),
        network.layers.size(), network.families());
    for (int bits : plan.bits) {
        ADIABAT_CHECK(bits >= kMinBits && bits <= kMaxBits, "{} bits", bits);
    }
    for (size_t f = 0; f < plan.cut.size(); ++f) {
        const int64_t groups = network.groups(f), kept = groups - cut_count(plan, f);
        ADIABAT_CHECK(std::ssize(plan.cut[f]) == groups, "family {} has {} groups", f, groups);
        ADIABAT_CHECK(kept == allowed_kept(network, f, kept), "family {} keeps {} of {} groups", f,
                      kept, groups);
    }
}

}  // namespace adiabat::plan
