// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pipeline/inspect.h"

#include <algorithm>
#include <map>

#include "adiabat/apply/file_size.h"
#include "adiabat/apply/prepare.h"
#include "adiabat/apply/quantize.h"
#include "adiabat/net/branches.h"
#include "adiabat/net/describe.h"
#include "adiabat/net/raise_opset.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/pipeline/select.h"
#include "adiabat/plan/reachable.h"

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
    const plan::CostFunctions costs(network,
                                    [&](auto cut, auto bits) { return file.bytes(cut, bits); });
    Json result;
    for (plan::Quantity quantity : plan::kQuantities) {
        const plan::Reachable range = plan::reachable(network, costs, quantity);
        // As long as all that can be is coded, few networks have any.
        if (quantity == plan::Quantity::kFloat && range.largest == 0) continue;
        result[std::string(plan::name_of(quantity))] = {
            {"smallest", range.smallest}, {"middle", range.middle}, {"largest", range.largest}};
    }
    return result;
}

std::string name_of(const net::Graph& graph, int node) {
    const net::Node& facts = graph.nodes[static_cast<size_t>(node)];
    return facts.name.empty() ? graph.value(facts.outputs[0]).name : facts.name;
}

Json names_of(const net::Graph& graph, const std::vector<int>& nodes) {
    Json names = Json::array();
    for (int node : nodes) names.push_back(name_of(graph, node));
    return names;
}

Json families_json(const net::Graph& graph, const net::Coupling& coupling) {
    Json families = Json::array();
    for (const net::GroupFamily& family : coupling.families) {
        families.push_back({{"groups", family.groups.size()},
                            {"channels", family.channels},
                            {"made_by", names_of(graph, family.makers)},
                            {"read_by", names_of(graph, family.readers)}});
    }
    return families;
}

Json frozen_json(const net::Graph& graph, const net::Coupling& coupling) {
    Json frozen = Json::array();
    for (const net::Frozen& part : coupling.frozen) {
        frozen.push_back({{"made_by", name_of(graph, part.maker)},
                          {"channels", part.channels},
                          {"reason", part.reason}});
    }
    return frozen;
}

// Those that a plan may drop.
Json branches_json(const net::Graph& graph, const plan::Network& network) {
    Json branches = Json::array();
    for (const plan::Branch& branch : network.branches) {
        branches.push_back({{"added_by", branch.name},
                            {"nodes", branch.place.nodes.size()},
                            {"layers", names_of(graph, branch.place.weighted)}});
    }
    return branches;
}

Json layer_json(const net::Graph& graph, const plan::Network& network, size_t k) {
    const net::Layer& layer = network.layers[k];
    const auto& groups = network.filter_groups(k);
    const std::vector<int64_t> nothing(network.families(), 0);
    Json entry = {{"name", layer.name},
                  {"operator", graph.nodes[static_cast<size_t>(layer.node)].op},
                  {"filters", layer.filters},
                  {"inputs", layer.inputs},
                  {"taps", layer.taps},
                  {"groups", layer.groups},
                  {"cost", to_json(network.costs.cost_of_layer(k, nothing, 32))},
                  {"cut", std::count_if(groups.begin(), groups.end(),
                                        [](net::GroupId id) { return id != net::kStays; })},
                  {"input_cut", !network.input_shares(k).empty()}};
    entry["frozen"] = Json::array();
    for (const net::Frozen& part : network.coupling.frozen) {
        if (part.maker == layer.node) {
            entry["frozen"].push_back({{"channels", part.channels}, {"reason", part.reason}});
        }
    }
    return entry;
}

}  // namespace

Json to_json(const net::Cost& cost) {
    return {{"parameters", cost.parameters},
            {"bytes", cost.bytes},
            {"macs", cost.macs},
            {"bops", cost.bops},
            {"float_macs", cost.float_macs},
            {"activations", cost.activations}};
}

Json inspect(Model& model, const std::vector<std::string>& keep) {
    std::string stays_as_it_is;
    try {
        compute_in_float(model);
    } catch (const InputError& error) {
        stays_as_it_is = error.what();
    }
    const net::Graph& graph = model.graph;
    require_matches({.keep = keep}, graph);
    const plan::Network network(graph, network_options({.keep = keep}));

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
    result["cost"] = to_json(network.costs.whole());
    result["layers"] = Json::array();
    for (size_t k = 0; k < network.layers.size(); ++k) {
        result["layers"].push_back(layer_json(graph, network, k));
    }
    result["groups"] = network.coupling.groups.size();
    result["families"] = families_json(graph, network.coupling);
    result["frozen"] = frozen_json(graph, network.coupling);
    result["branches"] = branches_json(graph, network);

    result["left_alone"] = Json::array();
    for (const net::LeftAlone& left : net::search_layers(graph).left_alone) {
        const net::Node& node = graph.nodes[static_cast<size_t>(left.node)];
        result["left_alone"].push_back(
            {{"name", net::describe(graph, node)}, {"reason", left.reason}});
    }

    try {
        if (!stays_as_it_is.empty()) throw InputError("{}", stays_as_it_is);
        apply::require_quantizable(graph, network.layers);
        net::Graph prepared = graph;
        net::raise_opset(prepared, apply::least_opset(onnx::Storage::kPlanes));
        const bool raised = prepared.opset != graph.opset;
        apply::prepare_for_cutting(prepared,
                                   raised ? net::find_coupling(prepared) : network.coupling);
        result["reachable"] =
            reachable_json(prepared, plan::Network(prepared, network_options({.keep = keep})));
    } catch (const InputError& error) {
        result["not_compressible"] = error.what();
    }
    return result;
}

Json groups_json(const Model& model, const std::vector<std::string>& keep) {
    const net::Graph& graph = model.graph;
    require_matches({.keep = keep}, graph);
    const plan::Network network(graph, network_options({.keep = keep}));
    const net::Coupling& coupling = network.coupling;
    std::vector<Json> groups(coupling.groups.size());
    for (size_t g = 0; g < groups.size(); ++g) {
        groups[g] = {
            {"group", g}, {"family", coupling.groups[g].family}, {"parameters", Json::array()}};
    }
    for (size_t id = 0; id < graph.values.size(); ++id) {
        if (!graph.values[id].constant) continue;
        for (size_t axis = 0; axis < coupling.axes[id].size(); ++axis) {
            const auto* labels =
                coupling.labels_of(static_cast<net::ValueId>(id), static_cast<int64_t>(axis));
            if (!labels) continue;
            std::map<net::GroupId, Json> indices;
            for (size_t k = 0; k < labels->groups.size(); ++k) {
                if (labels->groups[k] != net::kStays) indices[labels->groups[k]].push_back(k);
            }
            for (auto& [group, list] : indices) {
                groups[static_cast<size_t>(group)]["parameters"].push_back(
                    {{"name", graph.values[id].name},
                     {"axis", axis},
                     {"indices", std::move(list)}});
            }
        }
    }
    return {{"model", to_json(model)},
            {"groups", groups},
            {"families", families_json(graph, coupling)},
            {"frozen", frozen_json(graph, coupling)},
            {"branches", branches_json(graph, network)}};
}

}  // namespace adiabat::pipeline
