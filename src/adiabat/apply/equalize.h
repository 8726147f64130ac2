// SPDX-License-Identifier: Apache-2.0
#pragma once

// Cross-layer equalization: channels between two layers are rescaled so that one scale of 8-bit
// codes serves them all, and the network computes what it did.
//
// A layer makes channel c, operators through which a positive factor passes (Relu, LeakyRelu,
// PRelu, pooling, spatial means and pads, flattening) carry it, and layers alone read it: a link.
// Filter c and its bias are divided by s_c, the weights that read c are multiplied by it:
//
//   W2 f(W1 x + b1) = (W2 S) f(S^-1 W1 x + S^-1 b1)
//
// Scales of weights are one a filter, so the first layer loses nothing, nor do depthwise readers,
// whose filters read one channel each: there s_c = a_c, the largest |value| of the channel on
// images, and all channels have one range. Elsewhere a filter's codes pay for columns of unlike
// size, and the two are balanced: s_c = sqrt(a_c / w_c), w_c the largest share that a weight
// reading c has in its filter's largest. a and w count as kLeastShare of their largest at least.
// Scales are then such that the largest a_c / s_c is the largest a_c.
//
// Not through Clip (ReLU6), gates or additions, where a factor does not pass or others share it.
// O(weights), and a forward pass for the ranges.
//
// Sources: M. Nagel et al., "Data-free quantization through weight equalization and bias
// correction" (ICCV 2019), there with the ranges of both layers' weights; the balance of
// activations and weights is that of G. Xiao et al., "SmoothQuant" (ICML 2023).

#include <span>
#include <vector>

#include "adiabat/net/engine.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/layers.h"

namespace adiabat::apply {

inline constexpr float kLeastShare = 1e-3f;

struct Link {
    size_t maker = 0;                // index of the layer that makes the channels
    std::vector<size_t> readers;     // of those that read them, ascending
    std::vector<net::ValueId> read;  // what each of these reads, of the channels
};

// In the order of the makers. The graph's shapes have been inferred.
std::vector<Link> find_links(const net::Graph& graph, std::span<const net::Layer> layers);

// The largest |value| of each channel of what a link's readers read, of every link, on images.
using ChannelRanges = std::vector<std::vector<float>>;
ChannelRanges measure_channels(const net::Graph& graph, std::span<const net::Layer> layers,
                               std::span<const Link> links, net::Session& session,
                               const net::Tensor& images);

// The factors s of one link.
std::vector<float> link_scales(const net::Graph& graph, std::span<const net::Layer> layers,
                               const Link& link, std::span<const float> ranges);

// The graph with its links so scaled: the same values, other constants.
net::Graph equalized(const net::Graph& graph, std::span<const net::Layer> layers,
                     std::span<const Link> links, const ChannelRanges& ranges);

}  // namespace adiabat::apply
