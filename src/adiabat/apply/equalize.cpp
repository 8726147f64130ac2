// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/equalize.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string_view>

#include "adiabat/base/errors.h"
#include "adiabat/net/coding.h"

namespace adiabat::apply {

namespace {

using net::Graph;
using net::kNoValue;
using net::Layer;
using net::Node;
using net::Tensor;
using net::ValueId;

size_t index(ValueId id) { return static_cast<size_t>(id); }

// Elements of a value that one index of axis 1 has behind it: of what a Flatten makes of it, those
// are its channel's. 0 where the shapes do not say.
int64_t behind_channels(const net::Value& value) {
    if (!value.shape || value.shape->size() < 2) return 0;
    int64_t product = 1;
    for (size_t k = 2; k < value.shape->size(); ++k) product *= (*value.shape)[k];
    return product > 0 ? product : 0;
}

// Whether a Flatten, Reshape or Squeeze leaves [N, C, ..] as [N, C x ..].
bool flattens(const Graph& graph, const Node& node) {
    const auto &from = graph.value(node.input(0)).shape, &to = graph.value(node.outputs[0]).shape;
    const int64_t behind = behind_channels(graph.value(node.input(0)));
    return behind > 0 && to && to->size() == 2 && (*from)[1] > 0 && (*to)[1] == (*from)[1] * behind;
}

// A Pad that adds nothing to the batch and to the channels: zeros, or what is there.
bool pads_positions(const Graph& graph, const Node& node) {
    const Tensor* pads = graph.constant(node.input(1));
    const Tensor* value = graph.constant(node.input(2));
    if (!pads || node.input(3) != kNoValue) return false;
    if (node.input(2) != kNoValue && (!value || value->type != net::DType::kFloat)) return false;
    const bool is_zero = !value || value->as<float>()[0] == 0;
    if (node.string_or("mode", "constant") == "constant" && !is_zero) return false;
    const auto counts = pads->to_ints();
    const size_t rank = counts.size() / 2;
    return rank > 2 && counts[0] == 0 && counts[1] == 0 && counts[rank] == 0 &&
           counts[rank + 1] == 0;
}

// Whether input 0 times a positive factor a channel gives the output times the same.
bool passes_factors(const Graph& graph, const Node& node) {
    if (!node.domain.empty() || node.outputs.size() != 1) return false;
    for (std::string_view op : {"Relu", "LeakyRelu", "PRelu", "MaxPool", "AveragePool",
                                "GlobalAveragePool", "GlobalMaxPool", "Identity"}) {
        if (node.op == op) return true;
    }
    if (node.op == "Pad") return pads_positions(graph, node);
    if (node.op == "ReduceMean") return net::is_spatial_mean(graph, node);
    return (node.op == "Flatten" || node.op == "Reshape" || node.op == "Squeeze") &&
           flattens(graph, node);
}

class Finder {
  public:
    Finder(const Graph& graph, std::span<const Layer> layers)
        : graph_(graph),
          layers_(layers),
          uses_(graph),
          captured_(net::captured_values(graph)),
          layer_of_node_(graph.nodes.size(), -1) {
        for (size_t k = 0; k < layers.size(); ++k) {
            layer_of_node_[static_cast<size_t>(layers[k].node)] = static_cast<int>(k);
        }
    }

    std::optional<Link> link_of(size_t maker) const {
        Link link{maker, {}, {}};
        const Node& node = graph_.nodes[static_cast<size_t>(layers_[maker].node)];
        if (!follow(node.outputs[0], link) || link.readers.empty()) return std::nullopt;
        return link;
    }

  private:
    // False where a factor would not come out again.
    bool follow(ValueId id, Link& link) const {
        if (graph_.is_output(id) || captured_[index(id)]) return false;
        for (int reader : uses_.readers(id)) {
            const Node& node = graph_.nodes[static_cast<size_t>(reader)];
            // Read by its first input, and by no other of the node.
            if (std::count(node.inputs.begin(), node.inputs.end(), id) != 1 ||
                node.inputs[0] != id) {
                return false;
            }
            if (const int k = layer_of_node_[static_cast<size_t>(reader)]; k >= 0) {
                if (!reads_channels(static_cast<size_t>(k), id)) return false;
                link.readers.push_back(static_cast<size_t>(k));
                link.read.push_back(id);
            } else if (!passes_factors(graph_, node) || !follow(node.outputs[0], link)) {
                return false;
            }
        }
        return true;
    }

    // Whether a layer's weights see the channels on axis 1, each as often as the maker's filters
    // divide it.
    bool reads_channels(size_t k, ValueId id) const {
        const Layer& layer = layers_[k];
        const Node& node = graph_.nodes[static_cast<size_t>(layer.node)];
        const auto& shape = graph_.value(id).shape;
        return shape && shape->size() > 1 && node.int_or("transA", 0) == 0 &&
               (*shape)[1] == layer.inputs * layer.groups;
    }

    const Graph& graph_;
    std::span<const Layer> layers_;
    net::Uses uses_;
    std::vector<bool> captured_;
    std::vector<int> layer_of_node_;
};

// The channel of the maker, of `channels`, that input `j` of filter `f` reads.
size_t channel_read(const Layer& reader, int64_t channels, int64_t f, int64_t j) {
    const int64_t group = f / (reader.filters / reader.groups);
    const int64_t features = reader.inputs * reader.groups;
    return static_cast<size_t>((group * reader.inputs + j) / (features / channels));
}

// Calls visit(channel, weight, filter) for all weights of a layer's filters [F, inputs, taps].
template <typename Visit>
void for_each_weight(std::vector<float>& filters, const Layer& reader, int64_t channels,
                     const Visit& visit) {
    float* weight = filters.data();
    for (int64_t f = 0; f < reader.filters; ++f) {
        for (int64_t j = 0; j < reader.inputs; ++j) {
            const size_t channel = channel_read(reader, channels, f, j);
            for (int64_t t = 0; t < reader.taps; ++t) visit(channel, *weight++, f);
        }
    }
}

// w of a link: the largest share in its filter of the weights that read a channel, 0 where all
// readers have one input a filter.
std::vector<float> weight_shares(const Graph& graph, std::span<const Layer> layers,
                                 const Link& link, int64_t channels) {
    std::vector<float> shares(static_cast<size_t>(channels), 0);
    for (size_t k : link.readers) {
        const Layer& reader = layers[k];
        if (reader.inputs == 1) continue;
        auto filters = net::filters_of(graph, reader);
        std::vector<float> largest(static_cast<size_t>(reader.filters), 0);
        for_each_weight(filters, reader, channels, [&](size_t, float weight, int64_t f) {
            float& most = largest[static_cast<size_t>(f)];
            most = std::max(most, std::abs(weight));
        });
        for_each_weight(filters, reader, channels, [&](size_t c, float weight, int64_t f) {
            const float most = largest[static_cast<size_t>(f)];
            if (most > 0) shares[c] = std::max(shares[c], std::abs(weight) / most);
        });
    }
    return shares;
}

void set_constant(Graph& graph, ValueId id, Tensor tensor) {
    graph.value(id).constant = std::make_shared<const Tensor>(std::move(tensor));
}

void scale_layer(Graph& graph, const Layer& layer, std::vector<float> filters) {
    set_constant(graph, layer.weight, net::weight_of_filters(graph, layer, filters));
}

}  // namespace

std::vector<Link> find_links(const Graph& graph, std::span<const Layer> layers) {
    const Finder finder(graph, layers);
    std::vector<Link> links;
    for (size_t k = 0; k < layers.size(); ++k) {
        if (auto link = finder.link_of(k)) links.push_back(std::move(*link));
    }
    return links;
}

ChannelRanges measure_channels(const Graph& graph, std::span<const Layer> layers,
                               std::span<const Link> links, net::Session& session,
                               const Tensor& images) {
    std::vector<ValueId> fetches;
    for (const Link& link : links) {
        fetches.insert(fetches.end(), link.read.begin(), link.read.end());
    }
    ChannelRanges ranges;
    if (fetches.empty()) return ranges;
    const std::vector<Tensor> values =
        session.run(std::vector<net::Feed>{{graph.inputs[0], &images}}, fetches);
    size_t next = 0;
    for (const Link& link : links) {
        const auto channels = static_cast<size_t>(layers[link.maker].filters);
        std::vector<float>& range = ranges.emplace_back(channels, 0.0f);
        for (size_t r = 0; r < link.read.size(); ++r, ++next) {
            const auto x = values[next].as<float>();
            const size_t run = x.size() / static_cast<size_t>(images.shape[0]) / channels;
            for (size_t k = 0; k < x.size(); ++k) {
                float& most = range[k / run % channels];
                most = std::max(most, std::abs(x[k]));
            }
        }
    }
    return ranges;
}

std::vector<float> link_scales(const Graph& graph, std::span<const Layer> layers, const Link& link,
                               std::span<const float> ranges) {
    const auto shares = weight_shares(graph, layers, link, std::ssize(ranges));
    const float largest = *std::max_element(ranges.begin(), ranges.end()),
                heaviest = *std::max_element(shares.begin(), shares.end());
    std::vector<float> scales(ranges.size(), 1);
    if (!(largest > 0) || !std::isfinite(largest)) return scales;
    float most = 0;  // of a_c / s_c
    for (size_t c = 0; c < scales.size(); ++c) {
        const float a = std::max(ranges[c], kLeastShare * largest) / largest;
        scales[c] = heaviest > 0
                        ? std::sqrt(a * heaviest / std::max(shares[c], kLeastShare * heaviest))
                        : a;
        most = std::max(most, a / scales[c]);
    }
    for (float& scale : scales) scale *= most;
    return scales;
}

Graph equalized(const Graph& graph, std::span<const Layer> layers, std::span<const Link> links,
                const ChannelRanges& ranges) {
    ADIABAT_CHECK(links.size() == ranges.size(), "{} links, {} ranges", links.size(),
                  ranges.size());
    Graph result = graph;
    for (size_t n = 0; n < links.size(); ++n) {
        const Link& link = links[n];
        const auto scales = link_scales(graph, layers, link, ranges[n]);
        const Layer& maker = layers[link.maker];
        auto filters = net::filters_of(result, maker);
        const size_t width = filters.size() / scales.size();
        for (size_t k = 0; k < filters.size(); ++k) filters[k] /= scales[k / width];
        scale_layer(result, maker, std::move(filters));
        if (const Tensor* bias = result.constant(maker.bias)) {
            Tensor scaled = *bias;
            const auto values = scaled.as<float>();
            for (size_t c = 0; c < values.size(); ++c) values[c] /= scales[c];
            set_constant(result, maker.bias, std::move(scaled));
        }
        for (size_t k : link.readers) {
            auto read = net::filters_of(result, layers[k]);
            for_each_weight(read, layers[k], std::ssize(scales),
                            [&](size_t c, float& weight, int64_t) { weight *= scales[c]; });
            scale_layer(result, layers[k], std::move(read));
        }
    }
    return result;
}

}  // namespace adiabat::apply
