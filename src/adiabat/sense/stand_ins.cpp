// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/stand_ins.h"

#include <algorithm>
#include <numeric>

#include "adiabat/base/store.h"
#include "adiabat/net/frontier.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/sense/incumbent.h"
#include "adiabat/sense/layer_rows.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

// to += sign x more, where both have one shape.
void add(Tensor& to, const Tensor& more, float sign) {
    const auto values = to.as<float>();
    const auto others = more.as<float>();
    for (size_t k = 0; k < values.size(); ++k) values[k] += sign * others[k];
}

ValueId bias_of(const net::Graph& graph, const net::Layer& layer) {
    return graph.nodes[static_cast<size_t>(layer.node)].inputs[2];
}

}  // namespace

std::vector<uint8_t> to_bytes(const std::vector<StandIn>& list) {
    ByteWriter writer;
    writer.number(static_cast<uint64_t>(list.size()));
    for (const StandIn& one : list) {
        writer.number(one.layer);
        writer.list(one.filters);
        writer.list(one.bias);
    }
    return writer.take();
}

std::vector<StandIn> stand_ins_from_bytes(std::span<const uint8_t> bytes) {
    ByteReader reader(bytes);
    std::vector<StandIn> list(reader.number<uint64_t>());
    for (StandIn& one : list) {
        one.layer = reader.number<uint64_t>();
        one.filters = reader.list<float>();
        one.bias = reader.list<float>();
    }
    return list;
}

void put(net::Session& session, const net::Graph& graph, const std::vector<net::Layer>& layers,
         const std::vector<StandIn>& list) {
    for (const StandIn& one : list) {
        const net::Layer& layer = layers[one.layer];
        session.set_constant(layer.weight, net::weight_of_filters(graph, layer, one.filters));
        session.set_constant(bias_of(graph, layer), Tensor::of<float>({layer.filters}, one.bias));
    }
}

void put_back(net::Session& session, const net::Graph& graph, const std::vector<net::Layer>& layers,
              const std::vector<StandIn>& list) {
    for (const StandIn& one : list) {
        const net::Layer& layer = layers[one.layer];
        session.set_constant(layer.weight, *graph.constant(layer.weight));
        session.set_constant(bias_of(graph, layer), *graph.constant(bias_of(graph, layer)));
    }
}

StandInFinder::StandInFinder(const Candidates& candidates, net::Engine& engine, int threads)
    : candidates_(candidates),
      threads_(threads),
      graph_(with_biases(candidates.graph, candidates.layers)),
      uses_(graph_),
      original_(engine.open(graph_, {threads})),
      changed_(engine.open(graph_, {threads})) {}

std::vector<StandInFinder::Followed> StandInFinder::followed(const net::Branch& branch) const {
    // Nodes behind the branch that read something that changes with it.
    std::vector<uint8_t> changes(graph_.values.size(), 0);
    changes[static_cast<size_t>(graph_.nodes[static_cast<size_t>(branch.last)].outputs[0])] = 1;
    const auto is_changed = [&](ValueId id) {
        return id != net::kNoValue && changes[static_cast<size_t>(id)] != 0;
    };
    std::vector<int> nodes;
    for (size_t n = static_cast<size_t>(branch.last) + 1; n < graph_.nodes.size(); ++n) {
        const net::Node& node = graph_.nodes[n];
        if (std::none_of(node.inputs.begin(), node.inputs.end(), is_changed)) continue;
        nodes.push_back(static_cast<int>(n));
        for (ValueId id : node.outputs) {
            if (id != net::kNoValue) changes[static_cast<size_t>(id)] = 1;
        }
    }
    std::vector<Followed> list;
    for (size_t k = 0; k < candidates_.layers.size(); ++k) {
        const net::Layer& layer = candidates_.layers[k];
        if (!std::binary_search(nodes.begin(), nodes.end(), layer.node)) continue;
        if (layer.inputs * layer.taps > kMostStandInInputs) return list;
        list.push_back({k, net::kNoValue});
        const ValueId y = graph_.nodes[static_cast<size_t>(layer.node)].outputs[0];
        const auto& readers = uses_.readers(y);
        const net::Node* const reader =
            readers.size() == 1 ? &graph_.nodes[static_cast<size_t>(readers[0])] : nullptr;
        if (reader && reader->op == "Add" && reader->inputs.size() == 2) {
            const ValueId other = reader->inputs[reader->inputs[0] == y ? 1 : 0];
            if (is_changed(other)) list.back().skip = other;
        }
        if (list.back().skip != net::kNoValue || list.size() == kMostStandIns) return list;
    }
    return list;
}

// Holds what is read behind the branch, and its skip path.
void StandInFinder::go_to(const net::Branch& branch, const Tensor& images) {
    if (branch.last <= reached_) reached_ = -1;
    std::vector<net::Feed> feeds = {{graph_.inputs[0], &images}};
    if (reached_ >= 0) {
        feeds.clear();
        for (size_t i = 0; i < needs_.size(); ++i) feeds.push_back({needs_[i], &held_[i]});
    }
    std::vector<ValueId> needs = net::values_across(graph_, branch.last + 1), fetches = needs;
    fetches.push_back(net::skip_of(graph_, branch));
    std::vector<Tensor> held(fetches.size());
    // What was there before is taken over.
    std::vector<ValueId> wanted;
    const auto fed = [&](ValueId id) {
        return std::find_if(feeds.begin(), feeds.end(),
                            [id](const net::Feed& feed) { return feed.value == id; });
    };
    for (ValueId id : fetches) {
        if (fed(id) == feeds.end()) wanted.push_back(id);
    }
    std::vector<Tensor> found;
    if (!wanted.empty()) found = original_->run(feeds, wanted);
    for (size_t i = 0, next = 0; i < fetches.size(); ++i) {
        const auto feed = fed(fetches[i]);
        held[i] = feed != feeds.end() ? *feed->tensor : std::move(found[next++]);
    }
    skip_ = std::move(held.back());
    held.pop_back();
    needs_ = std::move(needs);
    held_ = std::move(held);
    reached_ = branch.last;
}

std::vector<StandIn> StandInFinder::find(size_t b, const Tensor& images) {
    const net::Branch& branch = candidates_.branches[b];
    const ValueId sum = graph_.nodes[static_cast<size_t>(branch.last)].outputs[0];
    const std::vector<Followed> layers = followed(branch);
    go_to(branch, images);
    // What comes behind is computed from: in the original, and with the skip path for the sum.
    std::vector<net::Feed> was, is;
    for (size_t i = 0; i < needs_.size(); ++i) {
        was.push_back({needs_[i], &held_[i]});
        is.push_back({needs_[i], needs_[i] == sum ? &skip_ : &held_[i]});
    }
    const auto value = [](net::Session& session, const std::vector<net::Feed>& from, ValueId id) {
        for (const net::Feed& feed : from) {
            if (feed.value == id) return *feed.tensor;
        }
        return std::move(session.run(from, std::vector{id})[0]);
    };
    std::vector<StandIn> found;
    for (const Followed& one : layers) {
        const net::Layer& layer = candidates_.layers[one.layer];
        const net::Node& node = graph_.nodes[static_cast<size_t>(layer.node)];
        const Tensor x = value(*changed_, is, node.inputs[0]);
        const auto rows = LayerRows::of(node, layer, graph_.constant(layer.weight)->shape, x);
        if (!rows) break;
        Tensor target = value(*original_, was, node.outputs[0]), lost;
        if (one.skip != net::kNoValue) {
            lost = value(*original_, was, one.skip);
            const Tensor now = value(*changed_, is, one.skip);
            if (lost.shape != target.shape || now.shape != target.shape) break;
            add(lost, now, -1);
        }
        std::vector<int64_t> all(static_cast<size_t>(layer.filters));
        std::iota(all.begin(), all.end(), 0);
        const std::vector<float> before = net::filters_of(graph_, layer);
        const int64_t own = layer.filters / layer.groups;
        const auto width = static_cast<Eigen::Index>(layer.inputs * layer.taps);
        StandIn stand_in{one.layer, {}, {}};
        for (int64_t g = 0; g < layer.groups; ++g) {
            const recon::Moments moments = lost.shape.empty()
                                               ? rows->moments(g, target, all, threads_)
                                               : rows->moments(g, target, lost, all, threads_);
            const Eigen::Map<const recon::Rows> given(before.data() + g * own * width, own, width);
            const recon::Rows weights =
                recon::reconstructed(moments, given.cast<double>()).cast<float>();
            stand_in.filters.insert(stand_in.filters.end(), weights.data(),
                                    weights.data() + weights.size());
        }
        const auto bias = graph_.constant(bias_of(graph_, layer))->as<float>();
        stand_in.bias.assign(bias.begin(), bias.end());
        found.push_back(std::move(stand_in));
        put(*changed_, graph_, candidates_.layers, {found.back()});
        if (!lost.shape.empty()) add(target, lost, 1);
        const std::vector<double> wanted = net::channel_means(target),
                                  given = net::channel_means(value(*changed_, is, node.outputs[0]));
        for (size_t f = 0; f < wanted.size(); ++f) {
            found.back().bias[f] += static_cast<float>(wanted[f] - given[f]);
        }
        put(*changed_, graph_, candidates_.layers, {found.back()});
    }
    put_back(*changed_, graph_, candidates_.layers, found);
    return found;
}

}  // namespace adiabat::sense
