// SPDX-License-Identifier: Apache-2.0
#include "adiabat/plan/plan.h"

#include <numeric>

namespace adiabat::plan {

Network describe_network(const net::Graph& graph) {
    Network network;
    network.layers = net::find_layers(graph);
    network.groups = net::find_channel_groups(graph, network.layers);
    network.input_group.assign(network.layers.size(), -1);
    for (size_t g = 0; g < network.groups.size(); ++g) {
        for (int reader : network.groups[g].readers) {
            network.input_group[static_cast<size_t>(reader)] = static_cast<int>(g);
        }
    }
    return network;
}

Plan uniform_plan(const Network& network, int bits) {
    Plan plan;
    plan.bits.assign(network.layers.size(), bits);
    for (const net::ChannelGroup& group : network.groups) {
        plan.cut.emplace_back(group.can_be_cut() ? static_cast<size_t>(group.channels) : 0);
    }
    return plan;
}

int64_t cut_channels(const Plan& plan, size_t group) {
    return std::accumulate(plan.cut[group].begin(), plan.cut[group].end(), int64_t{0});
}

std::vector<net::LayerState> states(const Network& network, const Plan& plan) {
    std::vector<net::LayerState> result;
    for (size_t k = 0; k < network.layers.size(); ++k) {
        const net::Layer& layer = network.layers[k];
        const int group = network.group_read_by(k);
        result.push_back(
            {layer.filters - cut_channels(plan, k),
             layer.inputs - (group < 0 ? 0 : cut_channels(plan, static_cast<size_t>(group))),
             plan.bits[k]});
    }
    return result;
}

void check_plan(const Network& network, const Plan& plan) {
    ADIABAT_CHECK(
        plan.bits.size() == network.layers.size() && plan.cut.size() == network.groups.size(),
        "a plan of {} layers for {}", plan.bits.size(), network.layers.size());
    for (size_t k = 0; k < network.layers.size(); ++k) {
        ADIABAT_CHECK(plan.bits[k] >= kMinBits && plan.bits[k] <= kMaxBits, "{} bits",
                      plan.bits[k]);
        const net::ChannelGroup& group = network.groups[k];
        ADIABAT_CHECK(
            plan.cut[k].size() == (group.can_be_cut() ? static_cast<size_t>(group.channels) : 0),
            "group {} has {} channels", k, plan.cut[k].size());
        ADIABAT_CHECK(plan.cut[k].empty() || cut_channels(plan, k) <= group.channels - kLeastKept,
                      "group {} loses all its channels", k);
    }
}

}  // namespace adiabat::plan
