// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/cut.h"

#include <numeric>

#include "adiabat/net/shape_inference.h"

namespace adiabat::apply {

namespace {

using net::Tensor;

// The slices of a float tensor at `kept` along an axis.
Tensor take(const Tensor& tensor, size_t axis, const std::vector<int64_t>& kept) {
    net::Shape shape = tensor.shape;
    shape[axis] = static_cast<int64_t>(kept.size());
    Tensor result(tensor.type, shape);
    int64_t outer = 1, inner = 1;
    for (size_t k = 0; k < axis; ++k) outer *= tensor.shape[k];
    for (size_t k = axis + 1; k < tensor.shape.size(); ++k) inner *= tensor.shape[k];
    const float* from = tensor.as<float>().data();
    float* to = result.as<float>().data();
    for (int64_t o = 0; o < outer; ++o) {
        for (int64_t channel : kept) {
            const float* slice = from + (o * tensor.shape[axis] + channel) * inner;
            to = std::copy(slice, slice + inner, to);
        }
    }
    return result;
}

void cut(net::Graph& graph, net::ValueId id, size_t axis, const std::vector<int64_t>& kept) {
    net::Value& value = graph.value(id);
    value.constant = std::make_shared<const Tensor>(take(*value.constant, axis, kept));
    value.shape = value.constant->shape;
}

}  // namespace

std::vector<int64_t> kept_channels(const plan::Network& network, const plan::Plan& plan,
                                   size_t group) {
    std::vector<int64_t> kept(static_cast<size_t>(network.groups[group].channels));
    std::iota(kept.begin(), kept.end(), 0);
    if (!plan.cut[group].empty()) {
        std::erase_if(kept, [&](int64_t channel) {
            return plan.cut[group][static_cast<size_t>(channel)] != 0;
        });
    }
    return kept;
}

net::Graph cut_channels(const net::Graph& graph, const plan::Network& network,
                        const plan::Plan& plan) {
    plan::check_plan(network, plan);
    net::Graph result = graph;
    for (size_t g = 0; g < network.groups.size(); ++g) {
        if (plan::cut_channels(plan, g) == 0) continue;
        const auto kept = kept_channels(network, plan, g);
        const net::Layer& producer = network.layers[g];
        cut(result, producer.weight, static_cast<size_t>(producer.filter_axis), kept);
        if (producer.bias != net::kNoValue) cut(result, producer.bias, 0, kept);
        for (int reader : network.groups[g].readers) {
            const net::Layer& layer = network.layers[static_cast<size_t>(reader)];
            cut(result, layer.weight, static_cast<size_t>(1 - layer.filter_axis), kept);
        }
    }
    for (const net::Node& node : result.nodes) {
        for (net::ValueId id : node.outputs) {
            if (id != net::kNoValue) result.value(id).shape.reset();
        }
    }
    net::infer_shapes(result);
    return result;
}

}  // namespace adiabat::apply
