// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/layers.h"

namespace adiabat::net {

namespace {

// A float constant that only this node reads.
bool is_own_parameter(const Graph& graph, const Uses& uses, ValueId id) {
    const Tensor* tensor = graph.constant(id);
    return tensor && tensor->type == DType::kFloat && uses.readers(id).size() == 1 &&
           !graph.is_output(id);
}

int64_t positions_of(const Graph& graph, ValueId output) {
    const auto& shape = graph.value(output).shape;
    if (!shape) return 0;
    int64_t product = 1;
    for (size_t k = 2; k < shape->size(); ++k) {
        if ((*shape)[k] == kUnknown) return 0;
        product *= (*shape)[k];
    }
    return product;
}

}  // namespace

std::vector<Layer> find_layers(const Graph& graph) {
    const Uses uses(graph);
    std::vector<Layer> layers;
    for (size_t n = 0; n < graph.nodes.size(); ++n) {
        const Node& node = graph.nodes[n];
        if (!node.domain.empty() || (node.op != "Conv" && node.op != "Gemm")) continue;
        if (!is_own_parameter(graph, uses, node.input(1))) continue;
        const Tensor& weight = *graph.constant(node.input(1));
        Layer layer;
        layer.node = static_cast<int>(n);
        layer.name = node.name.empty() ? graph.value(node.outputs[0]).name : node.name;
        layer.weight = node.input(1);
        if (node.op == "Conv") {
            if (weight.rank() < 3) continue;
            layer.groups = node.int_or("group", 1);
            layer.filters = weight.shape[0];
            layer.inputs = weight.shape[1];
            for (size_t k = 2; k < weight.shape.size(); ++k) layer.taps *= weight.shape[k];
            layer.positions = positions_of(graph, node.outputs[0]);
        } else {
            const bool plain = node.float_or("alpha", 1) == 1 && node.float_or("beta", 1) == 1 &&
                               node.int_or("transA", 0) == 0;
            if (weight.rank() != 2 || !plain) continue;
            layer.filter_axis = node.int_or("transB", 0) ? 0 : 1;
            layer.filters = weight.shape[static_cast<size_t>(layer.filter_axis)];
            layer.inputs = weight.shape[static_cast<size_t>(1 - layer.filter_axis)];
        }
        if (const ValueId bias = node.input(2); bias != kNoValue) {
            const Tensor* tensor = graph.constant(bias);
            if (!is_own_parameter(graph, uses, bias) || tensor->shape != Shape{layer.filters}) {
                continue;
            }
            layer.bias = bias;
        }
        layers.push_back(std::move(layer));
    }
    return layers;
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

}  // namespace adiabat::net
