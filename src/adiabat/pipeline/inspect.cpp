// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/inspect.h"

#include "adiabat/apply/file_size.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/net/describe.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/plan/budget.h"

namespace adiabat::pipeline {

namespace {

Json value_json(const net::Graph& graph, net::ValueId id) {
    const net::Value& value = graph.value(id);
    Json shape = nullptr;
    if (value.shape) {
        shape = Json::array();
        for (int64_t dimension : *value.shape) {
            shape.push_back(dimension == net::kUnknown ? Json("?") : Json(dimension));
        }
    }
    return {{"name", value.name}, {"type", net::name_of(value.type)}, {"shape", shape}};
}

Json reachable_json(const net::Graph& graph, const plan::Network& network) {
    const apply::FileSize file(graph, network, onnx::Storage::kPlanes);
    plan::CostFunctions costs;
    costs.file = [&](const plan::Plan& plan) { return file.bytes(plan); };
    costs.bytes = [&](const plan::Plan& plan) {
        return net::network_cost(network.layers, plan::states(network, plan)).bytes;
    };
    Json result;
    for (plan::Quantity quantity : {plan::Quantity::kFile, plan::Quantity::kBytes}) {
        const plan::Reachable range = plan::reachable(network, costs, quantity);
        result[std::string(plan::name_of(quantity))] = {
            {"smallest", range.smallest}, {"middle", range.middle}, {"largest", range.largest}};
    }
    return result;
}

}  // namespace

Json to_json(const net::Cost& cost) {
    return {{"parameters", cost.parameters},
            {"bytes", cost.bytes},
            {"macs", cost.macs},
            {"bops", cost.bops}};
}

Json inspect(const Model& model) {
    const net::Graph& graph = model.graph;
    const plan::Network network = plan::describe_network(graph);
    const auto whole = net::untouched(network.layers);

    Json result;
    result["model"] = to_json(model);
    result["opset"] = graph.opset;
    result["producer"] = graph.producer;
    for (const auto& [name, ids] :
         {std::pair{"inputs", &graph.inputs}, {"outputs", &graph.outputs}}) {
        result[name] = Json::array();
        for (net::ValueId id : *ids) result[name].push_back(value_json(graph, id));
    }
    result["operators"] = Json::object();
    for (const net::Node& node : graph.nodes) {
        Json& count = result["operators"][node.op];
        count = count.is_null() ? 1 : count.get<int>() + 1;
    }
    result["unknown_operators"] = net::unknown_operators(graph);
    result["cost"] = to_json(net::network_cost(network.layers, whole));

    result["layers"] = Json::array();
    for (size_t k = 0; k < network.layers.size(); ++k) {
        const net::Layer& layer = network.layers[k];
        const net::ChannelGroup& group = network.groups[k];
        Json entry = {{"name", layer.name},
                      {"operator", graph.nodes[static_cast<size_t>(layer.node)].op},
                      {"filters", layer.filters},
                      {"inputs", layer.inputs},
                      {"taps", layer.taps},
                      {"groups", layer.groups},
                      {"cost", to_json(net::layer_cost(layer, whole[k]))}};
        entry["cut"] = group.can_be_cut();
        if (group.can_be_cut()) {
            entry["readers"] = Json::array();
            for (int reader : group.readers) {
                entry["readers"].push_back(network.layers[static_cast<size_t>(reader)].name);
            }
        } else {
            entry["frozen"] = group.frozen;
        }
        result["layers"].push_back(std::move(entry));
    }

    result["left_alone"] = Json::array();
    for (const net::LeftAlone& left : net::search_layers(graph).left_alone) {
        const net::Node& node = graph.nodes[static_cast<size_t>(left.node)];
        result["left_alone"].push_back(
            {{"name", net::describe(graph, node)}, {"reason", left.reason}});
    }

    try {
        apply::require_quantizable(graph, network);
        result["reachable"] = reachable_json(graph, network);
    } catch (const InputError& error) {
        result["not_compressible"] = error.what();
    }
    return result;
}

}  // namespace adiabat::pipeline
