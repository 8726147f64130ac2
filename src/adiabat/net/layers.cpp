// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/layers.h"

#include <algorithm>

namespace adiabat::net {

namespace {

// Why a parameter is no float constant that only this node reads; empty where it is.
std::string why_not_own(const Graph& graph, const Uses& uses, ValueId id) {
    const Tensor* tensor = graph.constant(id);
    if (!tensor) return "computed while the network runs";
    if (tensor->type != DType::kFloat) return std::string(name_of(tensor->type)) + ", not float";
    if (uses.readers(id).size() > 1) return "shared with another operator";
    return graph.is_output(id) ? "an output of the network" : "";
}

int64_t positions_of(const Graph& graph, ValueId output) {
    const auto& shape = graph.value(output).shape;
    if (!shape) return 0;
    const Shape spatial(shape->begin() + std::min<std::ptrdiff_t>(2, std::ssize(*shape)),
                        shape->end());
    return std::count(spatial.begin(), spatial.end(), kUnknown) > 0 ? 0 : elements(spatial);
}

}  // namespace

namespace {

// Fills in the layer that a node is; returns why it is none, or nothing.
std::string classify(const Graph& graph, const Uses& uses, const Node& node, Layer& layer) {
    if (graph.constant(node.input(0))) return "its input is a constant";
    if (const std::string why = why_not_own(graph, uses, node.input(1)); !why.empty()) {
        return "its weight is " + why;
    }
    const Tensor& weight = *graph.constant(node.input(1));
    layer.name = node.name.empty() ? graph.value(node.outputs[0]).name : node.name;
    layer.weight = node.input(1);
    if (node.op == "Conv") {
        if (weight.rank() < 3) return "its weight has no kernel axes";
        layer.groups = node.int_or("group", 1);
        layer.filters = weight.shape[0];
        layer.inputs = weight.shape[1];
        for (size_t k = 2; k < weight.shape.size(); ++k) layer.taps *= weight.shape[k];
        layer.positions = positions_of(graph, node.outputs[0]);
    } else {
        const bool plain = node.float_or("alpha", 1) == 1 && node.float_or("beta", 1) == 1 &&
                           node.int_or("transA", 0) == 0;
        if (weight.rank() != 2 || !plain) return "its alpha, beta or transA is not the default";
        layer.filter_axis = node.int_or("transB", 0) ? 0 : 1;
        layer.filters = weight.shape[static_cast<size_t>(layer.filter_axis)];
        layer.inputs = weight.shape[static_cast<size_t>(1 - layer.filter_axis)];
    }
    if (const ValueId bias = node.input(2); bias != kNoValue) {
        const Tensor* tensor = graph.constant(bias);
        if (const std::string why = why_not_own(graph, uses, bias); !why.empty()) {
            return "its bias is " + why;
        }
        if (tensor->shape != Shape{layer.filters}) return "its bias is not one number a filter";
        layer.bias = bias;
    }
    return "";
}

}  // namespace

LayerSearch search_layers(const Graph& graph) {
    const Uses uses(graph);
    LayerSearch found;
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        if (!node.domain.empty()) continue;
        const bool multiplies = node.op == "MatMul" || node.op == "ConvTranspose";
        if (node.op == "Conv" || node.op == "Gemm") {
            Layer layer;
            layer.node = static_cast<int>(n);
            const std::string reason = classify(graph, uses, node, layer);
            if (reason.empty()) {
                found.layers.push_back(std::move(layer));
            } else {
                found.left_alone.push_back({static_cast<int>(n), reason});
            }
        } else if (multiplies && graph.constant(node.input(1))) {
            found.left_alone.push_back({static_cast<int>(n), node.op + " is not compressed yet"});
        }
    }
    return found;
}

std::vector<Layer> find_layers(const Graph& graph) { return search_layers(graph).layers; }

std::vector<bool> outermost(const Graph& graph, const std::vector<Layer>& layers) {
    std::vector<bool> is_layer(graph.nodes.size()), first(graph.nodes.size()),
        last(graph.nodes.size());
    for (const Layer& layer : layers) is_layer[static_cast<size_t>(layer.node)] = true;
    // Of every value whether a layer stands before it, or behind it.
    std::vector<bool> before(graph.values.size()), behind(graph.values.size());
    const auto any = [](const std::vector<ValueId>& ids, const std::vector<bool>& marked) {
        return std::any_of(ids.begin(), ids.end(), [&](ValueId id) {
            return id != kNoValue && marked[static_cast<size_t>(id)];
        });
    };
    const auto mark = [](const std::vector<ValueId>& ids, std::vector<bool>& marked) {
        for (ValueId id : ids) {
            if (id != kNoValue) marked[static_cast<size_t>(id)] = true;
        }
    };
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        first[n] = !any(node.inputs, before) && !any(node.captured, before);
        if (is_layer[n] || !first[n]) mark(node.outputs, before);
    }
    for (size_t n = graph.nodes.size(); n-- > 0;) {
        const Node& node = graph.nodes[n];
        last[n] = !any(node.outputs, behind);
        if (!is_layer[n] && last[n]) continue;
        mark(node.inputs, behind);
        mark(node.captured, behind);
    }
    std::vector<bool> result;
    for (const Layer& layer : layers) {
        const auto n = static_cast<size_t>(layer.node);
        result.push_back(first[n] || last[n]);
    }
    return result;
}

std::vector<float> filters_of(const Graph& graph, const Layer& layer) {
    const auto weight = graph.constant(layer.weight)->as<float>();
    if (layer.filter_axis == 0) return {weight.begin(), weight.end()};
    std::vector<float> filters(weight.size());
    const auto rows = static_cast<size_t>(layer.filters), width = static_cast<size_t>(layer.inputs);
    for (size_t row = 0; row < rows; ++row) {
        for (size_t k = 0; k < width; ++k) filters[row * width + k] = weight[k * rows + row];
    }
    return filters;
}

Tensor weight_of_filters(const Graph& graph, const Layer& layer, std::span<const float> filters) {
    Tensor weight = *graph.constant(layer.weight);
    const auto values = weight.as<float>();
    ADIABAT_CHECK(filters.size() == values.size(), "{} values for {}", filters.size(), layer.name);
    const auto rows = static_cast<size_t>(layer.filters);
    const size_t width = filters.size() / rows;
    for (size_t row = 0; row < rows; ++row) {
        for (size_t k = 0; k < width; ++k) {
            values[layer.filter_axis == 0 ? row * width + k : k * rows + row] =
                filters[row * width + k];
        }
    }
    return weight;
}

}  // namespace adiabat::net
