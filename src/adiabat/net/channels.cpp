// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/channels.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "adiabat/net/describe.h"

namespace adiabat::net {

namespace {

// Operators that treat every channel for itself and have no parameters a channel.
constexpr std::array<std::string_view, 13> kChannelwise = {
    "Relu",        "LeakyRelu",         "Clip",         "Sigmoid",  "Tanh",
    "HardSigmoid", "HardSwish",         "Elu",          "Softplus", "MaxPool",
    "AveragePool", "GlobalAveragePool", "GlobalMaxPool"};

bool is_channelwise(const Node& node) {
    return node.domain.empty() &&
           std::find(kChannelwise.begin(), kChannelwise.end(), node.op) != kChannelwise.end();
}

}  // namespace

std::vector<ChannelGroup> find_channel_groups(const Graph& graph,
                                              const std::vector<Layer>& layers) {
    const Uses uses(graph);
    std::vector<int> layer_of_node(graph.nodes.size(), -1);
    for (size_t k = 0; k < layers.size(); ++k) {
        layer_of_node[static_cast<size_t>(layers[k].node)] = static_cast<int>(k);
    }

    std::vector<ChannelGroup> groups;
    for (size_t k = 0; k < layers.size(); ++k) {
        ChannelGroup group;
        group.producer = static_cast<int>(k);
        group.channels = layers[k].filters;
        const Node& producer = graph.nodes[static_cast<size_t>(layers[k].node)];
        if (producer.op != "Conv") {
            group.frozen = "features of a Gemm are not cut yet";
        } else if (layers[k].groups != 1) {
            group.frozen = "grouped convolution: channels hang together with its inputs";
        }
        // Walks forward over channelwise operators until convolutions read the channels.
        std::vector<ValueId> frontier = {producer.outputs[0]};
        while (!frontier.empty() && group.frozen.empty()) {
            const ValueId id = frontier.back();
            frontier.pop_back();
            if (graph.is_output(id)) {
                group.frozen = "leaves the network as " + graph.value(id).name;
                break;
            }
            for (int reader : uses.readers(id)) {
                const Node& node = graph.nodes[static_cast<size_t>(reader)];
                const int layer = layer_of_node[static_cast<size_t>(reader)];
                if (node.op == "Conv" && layer >= 0 &&
                    layers[static_cast<size_t>(layer)].groups == 1) {
                    group.readers.push_back(layer);
                } else if (is_channelwise(node)) {
                    frontier.push_back(node.outputs[0]);
                } else {
                    group.frozen =
                        "read by " + describe(graph, node) +
                        (node.op == "Add" ? ": coupled with the channels it is added to" : "");
                }
            }
        }
        std::sort(group.readers.begin(), group.readers.end());
        if (group.frozen.empty() && group.readers.empty()) group.frozen = "nothing reads it";
        if (group.frozen.empty() && group.channels < 2) group.frozen = "has one channel only";
        if (!group.frozen.empty()) group.readers.clear();
        groups.push_back(std::move(group));
    }
    return groups;
}

}  // namespace adiabat::net
