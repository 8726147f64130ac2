// SPDX-License-Identifier: Apache-2.0
#pragma once

// Layers: the convolutions and Gemms whose weights are constants, which is what is cut and
// quantized.
//
// A layer's weight is seen as filters x inputs x taps: a convolution's as [filters, inputs, k...],
// a Gemm's as [filters, inputs] (transB = 1) or [inputs, filters] (transB = 0), one tap.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

struct Layer {
    int node = -1;     // index in Graph::nodes
    std::string name;  // the node's name, or its output's where it has none
    ValueId weight = kNoValue;
    ValueId bias = kNoValue;  // kNoValue where there is none
    int filter_axis = 0;      // of the weight
    int64_t filters = 0;      // output channels
    int64_t inputs = 0;       // input channels that one filter reads
    int64_t taps = 1;         // kernel elements
    int64_t groups = 1;
    int64_t positions = 1;  // output positions of one image, 0 where the shapes are unknown

    int64_t weights() const { return filters * inputs * taps; }
};

// A node with weights that is no layer, and why: it stays as it is.
struct LeftAlone {
    int node = -1;
    std::string reason;
};

struct LayerSearch {
    std::vector<Layer> layers;
    std::vector<LeftAlone> left_alone;
};

// Both in topological order. The graph's shapes have been inferred.
LayerSearch search_layers(const Graph& graph);

// The layers alone. A layer whose weight or bias is
// computed or shared with another node is not one (nothing can be done to it alone).
std::vector<Layer> find_layers(const Graph& graph);

// For every layer whether it is an outermost one: no layer before it makes anything that it reads,
// or no layer behind it reads anything that it makes. O(edges).
std::vector<bool> outermost(const Graph& graph, const std::vector<Layer>& layers);

// The weight as filters x (inputs * taps), row-major, whatever the layer's own order.
std::vector<float> filters_of(const Graph& graph, const Layer& layer);

// The weight with these filters, in the layer's own order and shape.
Tensor weight_of_filters(const Graph& graph, const Layer& layer, std::span<const float> filters);

}  // namespace adiabat::net
