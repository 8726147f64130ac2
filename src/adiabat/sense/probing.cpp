// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/probing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/net/cost_model.h"
#include "adiabat/net/frontier.h"
#include "adiabat/sense/activation_codes.h"

namespace adiabat::sense {

int64_t elements_an_image(const net::Graph& graph, net::ValueId id) {
    const auto& shape = graph.value(id).shape;
    int64_t count = 1;
    for (size_t k = 1; shape && k < shape->size(); ++k) count *= std::max<int64_t>(1, (*shape)[k]);
    return count;
}

namespace {

using net::Tensor;
using net::ValueId;

// Images that something is measured on, and fewer where they are so many multiply-accumulates in
// all: positions of large ones are many.
struct Sample {
    int64_t images, fewest, macs;

    int64_t of(int64_t macs_an_image) const {
        return std::clamp(macs / std::max<int64_t>(macs_an_image, 1), fewest, images);
    }
};
// Their gradients weigh a layer's outputs: mean squares over positions and directions, which settle
// quickly.
constexpr Sample kWeighing = {64, 16, 64'000'000'000};
// Stand-ins for branches are fitted to them.
constexpr Sample kStandIn = {128, 32, 150'000'000'000};
// Activations alive at once, in units of the largest.
constexpr uint64_t kAlive = 4;

template <typename M>
void write(ByteWriter& writer, const M& matrix) {
    writer.number(static_cast<int64_t>(matrix.rows()));
    writer.number(static_cast<int64_t>(matrix.cols()));
    writer.list(std::span(matrix.data(), static_cast<size_t>(matrix.size())));
}

template <typename M>
void read(ByteReader& reader, M& matrix) {
    const auto rows = reader.number<int64_t>(), cols = reader.number<int64_t>();
    const auto values = reader.list<typename M::Scalar>();
    matrix = Eigen::Map<const M>(values.data(), rows, cols);
}

std::vector<uint8_t> to_bytes(const LayerProbe& probe) {
    ByteWriter writer;
    writer.list(probe.cuts);
    writer.list(probe.cut_of_row);
    writer.list(probe.column_of_row);
    write(writer, probe.residual);
    writer.list(probe.residual_offset);
    write(writer, probe.rounding);
    writer.list(probe.rounding_offset);
    write(writer, probe.pairs);
    write(writer, probe.shares);
    write(writer, probe.coefficients);
    write(writer, probe.weights);
    writer.list(probe.bias);
    return writer.take();
}

LayerProbe from_bytes(std::span<const uint8_t> bytes) {
    ByteReader reader(bytes);
    LayerProbe probe;
    probe.cuts = reader.list<net::GroupId>();
    probe.cut_of_row = reader.list<int>();
    probe.column_of_row = reader.list<int>();
    read(reader, probe.residual);
    probe.residual_offset = reader.list<float>();
    read(reader, probe.rounding);
    probe.rounding_offset = reader.list<float>();
    read(reader, probe.pairs);
    read(reader, probe.shares);
    read(reader, probe.coefficients);
    read(reader, probe.weights);
    probe.bias = reader.list<float>();
    return probe;
}

class Walk {
  public:
    Walk(const Candidates& candidates, net::Engine& engine, const ImageBatches& images,
         const ProbingOptions& options, Store& store)
        : candidates_(candidates),
          engine_(engine),
          graph_(candidates.graph),
          options_(options),
          store_(store),
          session_(engine.open(graph_, {options.threads})),
          outputs_(sensed_outputs(graph_)),
          images_(images(0, probing_images(graph_, options))) {
        if (!candidates.incumbent) return;
        around_ = with_biases(graph_, candidates.layers);
        walked_ = engine.open(*around_, {options.threads});
    }

    Probes run(StopToken stop, ProgressSink& progress) {
        const std::vector<net::Feed> feeds = {{graph_.inputs[0], &images_}};
        const std::vector<Tensor> sample = session_->run(feeds, outputs_);
        Probes probes{Directions(sample, options_.directions), {}, {}, {}, {}, {}, {}};
        find_direct(probes);
        if (!take_finished(probes)) walk(probes, stop, progress);
        if (around_) {
            for (size_t k = 0; k < probes.layers.size(); ++k) {
                around_->value(candidates_.layers[k].weight).constant =
                    std::make_shared<const Tensor>(weight_of(k, probes.layers[k]));
                around_->value(bias_of(k)).constant = std::make_shared<const Tensor>(
                    Tensor::of<float>({candidates_.layers[k].filters}, probes.layers[k].bias));
            }
            probes.around = std::move(*around_);
        }
        measure_direct(probes);
        find_stand_ins(probes, stop, progress);
        measure_activations(probes, stop);
        return probes;
    }

  private:
    // True where all layers have been probed before.
    bool take_finished(Probes& probes) const {
        for (size_t k = 0; k < candidates_.layers.size(); ++k) {
            auto probe = finished(k);
            if (!probe) {
                probes.layers.clear();
                return false;
            }
            probes.layers.push_back(std::move(*probe));
        }
        return true;
    }

    std::optional<LayerProbe> finished(size_t k) const {
        const auto bytes = store_.get(name_of(k));
        return bytes ? std::optional(from_bytes(*bytes)) : std::nullopt;
    }

    void walk(Probes& probes, const StopToken& stop, ProgressSink& progress) {
        weigh_outputs(probes.directions, stop);
        net::Frontier frontier(graph_, graph_.inputs), original(graph_, graph_.inputs);
        for (size_t k = 0; k < candidates_.layers.size(); ++k) {
            frontier.plan(2 * k, {input_of(k)});
            // Where the walk goes on: what the layer gives.
            frontier.plan(2 * k + 1, {output_of(k)});
            original.plan(k, {output_of(k)});
        }
        frontier.set(graph_.inputs[0], images_);
        if (around_) original.set(graph_.inputs[0], images_);
        net::Session& walked = around_ ? *walked_ : *session_;
        progress.begin("probe", candidates_.layers.size(), "layers");
        for (size_t k = 0; k < candidates_.layers.size(); ++k) {
            if (stop.requested()) throw Interrupted();
            Tensor x = step(walked, frontier, 2 * k, input_of(k)), target;
            if (around_) target = step(*session_, original, k, output_of(k));
            auto stored = finished(k);
            const bool was_stored = stored.has_value();
            const AroundIncumbent around{
                target, around_ ? presence_of_filters(candidates_, k, probes.is_direct)
                                : std::vector<Presence>{}};
            probes.layers.push_back(was_stored ? std::move(*stored)
                                               : probe(k, x, around_ ? &around : nullptr));
            LayerProbe& probed = probes.layers.back();
            frontier.set(input_of(k), std::move(x));
            frontier.drop_after(2 * k);
            if (around_) walked.set_constant(candidates_.layers[k].weight, weight_of(k, probed));
            Tensor y = step(walked, frontier, 2 * k + 1, output_of(k));
            if (around_) {
                recenter(k, around, y, probed);
                original.set(output_of(k), std::move(target));
                original.drop_after(k);
            }
            frontier.set(output_of(k), std::move(y));
            frontier.drop_after(2 * k + 1);
            if (!was_stored) store_.put(name_of(k), to_bytes(probed));
            progress.update(k + 1);
        }
    }

    // Shifts the bias of layer k, and what it gives, to the original's means; filters that do not
    // come back give zeros.
    void recenter(size_t k, const AroundIncumbent& around, Tensor& y, LayerProbe& probe) const {
        const std::vector<double> wanted = net::channel_means(around.target),
                                  is = net::channel_means(y);
        probe.bias = channel_values(*around_->constant(bias_of(k)));
        std::vector<float> shifts;
        for (size_t f = 0; f < probe.bias.size(); ++f) {
            const bool is_gone = around.filters[f] == Presence::kGone;
            const float bias = is_gone ? 0 : probe.bias[f] + static_cast<float>(wanted[f] - is[f]);
            shifts.push_back(bias - probe.bias[f]);
            probe.bias[f] = bias;
        }
        net::add_to_channels(y, shifts);
    }
    static std::vector<float> channel_values(const Tensor& tensor) {
        const auto values = tensor.as<float>();
        return {values.begin(), values.end()};
    }

    // The layer's weight as the incumbent leaves it, in the layer's own order.
    Tensor weight_of(size_t k, const LayerProbe& probe) const {
        return net::weight_of_filters(
            graph_, candidates_.layers[k],
            std::span(probe.weights.data(), static_cast<size_t>(probe.weights.size())));
    }
    ValueId bias_of(size_t k) const {
        return around_->nodes[static_cast<size_t>(candidates_.layers[k].node)].inputs[2];
    }

    static std::string name_of(size_t layer) { return fmt::format("layer-{:05}", layer); }

    const net::Node& node_of(size_t layer) const {
        return graph_.nodes[static_cast<size_t>(candidates_.layers[layer].node)];
    }
    ValueId input_of(size_t layer) const { return node_of(layer).inputs[0]; }
    ValueId output_of(size_t layer) const { return node_of(layer).outputs[0]; }

    static Tensor step(net::Session& session, const net::Frontier& frontier, size_t step,
                       ValueId wanted) {
        const auto feeds = frontier.feeds(step);
        if (feeds.size() == 1 && feeds[0].value == wanted) return frontier.at(wanted);
        const std::vector<ValueId> fetches = {wanted};
        return std::move(session.run(feeds, fetches)[0]);
    }

    // All but the bias of an incumbent's layer.
    LayerProbe probe(size_t k, const Tensor& x, const AroundIncumbent* around) {
        for (float value : x.as<float>()) {
            if (!std::isfinite(value)) {
                throw InputError(
                    "{}: an activation is {} on the calibration images: the network or its "
                    "preprocessing is broken",
                    graph_.value(input_of(k)).name, value);
            }
        }
        const net::Layer& layer = candidates_.layers[k];
        const auto rows = LayerRows::of(node_of(k), layer, graph_.constant(layer.weight)->shape, x);
        return probe_layer(candidates_, k, rows, output_weights_[k], options_.threads, around);
    }

    int64_t macs_an_image() const {
        return net::CostModel(graph_, candidates_.coupling, candidates_.layers).whole().macs;
    }

    // Mean over images of the sum over positions and directions of the squared gradient.
    void weigh_outputs(const Directions& directions, const StopToken& stop) {
        if (const auto bytes = store_.get("output-weights")) {
            ByteReader reader(*bytes);
            for (size_t k = 0; k < candidates_.layers.size(); ++k)
                output_weights_.push_back(reader.list<double>());
            return;
        }
        std::vector<ValueId> wanted;
        int64_t bytes = 1;
        for (size_t k = 0; k < candidates_.layers.size(); ++k) {
            wanted.push_back(node_of(k).outputs[0]);
            output_weights_.emplace_back(static_cast<size_t>(candidates_.layers[k].filters), 0.0);
            bytes += 4 * directions.count * elements_an_image(graph_, wanted.back());
        }
        const int64_t images = std::min(kWeighing.of(macs_an_image()), images_.shape[0]);
        const int64_t batch =
            std::clamp<int64_t>(static_cast<int64_t>(options_.memory_bytes / 2) / bytes, 1, images);
        for (int64_t begin = 0; begin < images; begin += batch) {
            if (stop.requested()) throw Interrupted();
            const Tensor some = net::rows_of(images_, begin, std::min(batch, images - begin));
            const std::vector<net::Feed> feeds = {{graph_.inputs[0], &some}};
            const auto seeds = directions.seeds(session_->run(feeds, outputs_), begin);
            const auto found = session_->gradients_of_many(feeds, outputs_, seeds, wanted, {});
            for (const auto& direction : found.gradients) {
                for (size_t k = 0; k < wanted.size(); ++k) {
                    add_squares(direction[k], static_cast<double>(images), output_weights_[k]);
                }
            }
        }
        ByteWriter writer;
        for (const auto& weights : output_weights_) writer.list(weights);
        store_.put("output-weights", writer.take());
    }

    static void add_squares(const Tensor& gradient, double images, std::vector<double>& sums) {
        const auto filters = static_cast<int64_t>(sums.size());
        const int64_t positions = gradient.size() / gradient.shape[0] / filters;
        const float* g = gradient.as<float>().data();
        for (int64_t n = 0; n < gradient.shape[0]; ++n) {
            for (double& sum : sums) {
                const Eigen::Map<const Eigen::VectorXf> values(g, positions);
                sum += static_cast<double>(values.squaredNorm()) / images;
                g += positions;
            }
        }
    }

    // Families that something else than a layer with second moments reads are seen where they are
    // made.
    void find_direct(Probes& probes) const {
        std::vector<uint8_t> is_probed(graph_.nodes.size());
        for (const net::Layer& layer : candidates_.layers) {
            is_probed[static_cast<size_t>(layer.node)] = layer.inputs * layer.taps <= kMostInputs;
        }
        std::vector<uint8_t> is_direct(candidates_.coupling.families.size());
        std::vector<int> makers;
        for (size_t f = 0; f < is_direct.size(); ++f) {
            const net::GroupFamily& family = candidates_.coupling.families[f];
            is_direct[f] = std::any_of(family.readers.begin(), family.readers.end(), [&](int node) {
                return !is_probed[static_cast<size_t>(node)];
            });
            if (is_direct[f]) {
                makers.insert(makers.end(), family.makers.begin(), family.makers.end());
            }
        }
        std::sort(makers.begin(), makers.end());
        makers.erase(std::unique(makers.begin(), makers.end()), makers.end());
        for (int maker : makers) {
            DirectProbe direct;
            direct.value = graph_.nodes[static_cast<size_t>(maker)].outputs[0];
            const auto* labels = candidates_.coupling.labels_of(direct.value, 1);
            if (!labels) continue;
            direct.groups = labels->groups;
            for (net::GroupId& group : direct.groups) {
                if (group == net::kStays) continue;
                const int family = candidates_.coupling.groups[static_cast<size_t>(group)].family;
                if (!is_direct[static_cast<size_t>(family)]) group = net::kStays;
            }
            probes.direct.push_back(std::move(direct));
        }
        probes.is_direct = std::move(is_direct);
    }

    void find_stand_ins(Probes& probes, const StopToken& stop, ProgressSink& progress) {
        if (candidates_.branches.empty()) return;
        StandInFinder finder(candidates_, engine_, options_.threads);
        const int64_t count = std::min(kStandIn.of(macs_an_image()), images_.shape[0]);
        const Tensor some = net::rows_of(images_, 0, count);
        progress.begin("probe branches", candidates_.branches.size(), "branches");
        for (size_t b = 0; b < candidates_.branches.size(); ++b) {
            if (stop.requested()) throw Interrupted();
            const std::string name = fmt::format("branch-{:05}", b);
            if (const auto bytes = store_.get(name)) {
                probes.stand_ins.push_back(stand_ins_from_bytes(*bytes));
            } else {
                probes.stand_ins.push_back(finder.find(b, some));
                store_.put(name, to_bytes(probes.stand_ins.back()));
            }
            progress.update(b + 1);
        }
    }

    void measure_activations(Probes& probes, const StopToken& stop) {
        if (candidates_.coded().empty()) return;
        if (const auto bytes = store_.get("code-maps")) {
            ByteReader reader(*bytes);
            const auto scales = reader.list<float>();
            const auto zeros = reader.list<uint8_t>();
            for (size_t i = 0; i < scales.size(); ++i) {
                probes.code_maps.push_back({scales[i], zeros[i]});
            }
            return;
        }
        probes.code_maps = find_code_maps(candidates_, *session_, images_,
                                          {options_.ranges, options_.memory_bytes}, stop);
        std::vector<float> scales;
        std::vector<uint8_t> zeros;
        for (const recon::CodeMap& map : probes.code_maps) {
            scales.push_back(map.scale);
            zeros.push_back(map.zero_point);
        }
        ByteWriter writer;
        writer.list(scales);
        writer.list(zeros);
        store_.put("code-maps", writer.take());
    }

    // One value at a time: all of them may be more than there is memory for.
    void measure_direct(Probes& probes) {
        if (probes.direct.empty() || take_means(probes)) return;
        const auto around =
            probes.around ? engine_.open(*probes.around, {options_.threads}) : nullptr;
        net::Session& session = around ? *around : *session_;
        ByteWriter writer;
        for (DirectProbe& direct : probes.direct) {
            const std::vector<net::Feed> feeds = {{graph_.inputs[0], &images_}};
            const std::vector<ValueId> fetches = {direct.value};
            const Tensor y = std::move(session.run(feeds, fetches)[0]);
            for (double mean : net::channel_means(y))
                direct.means.push_back(static_cast<float>(mean));
            writer.list(direct.means);
        }
        store_.put("direct-means", writer.take());
    }

    bool take_means(Probes& probes) const {
        const auto bytes = store_.get("direct-means");
        if (!bytes) return false;
        ByteReader reader(*bytes);
        for (DirectProbe& direct : probes.direct) direct.means = reader.list<float>();
        return true;
    }

    const Candidates& candidates_;
    net::Engine& engine_;
    const net::Graph& graph_;
    const ProbingOptions& options_;
    Store& store_;
    std::unique_ptr<net::Session> session_;  // of the original
    std::vector<ValueId> outputs_;
    Tensor images_;
    // The incumbent's network, as far as it is known, in the walk and in the end.
    std::optional<net::Graph> around_;
    std::unique_ptr<net::Session> walked_;
    std::vector<std::vector<double>> output_weights_;  // s_o, by layer
};

}  // namespace

int64_t probing_images(const net::Graph& graph, const ProbingOptions& options) {
    uint64_t largest = 1;
    for (size_t id = 0; id < graph.values.size(); ++id) {
        if (graph.values[id].constant) continue;
        largest = std::max(
            largest, static_cast<uint64_t>(4 * elements_an_image(graph, static_cast<ValueId>(id))));
    }
    const auto room = static_cast<int64_t>(options.memory_bytes / (kAlive * largest));
    return std::clamp<int64_t>(room, std::min<int64_t>(8, options.images), options.images);
}

Probes probe_network(const Candidates& candidates, net::Engine& engine, const ImageBatches& images,
                     const ProbingOptions& options, Store& store, StopToken stop,
                     ProgressSink& progress) {
    return Walk(candidates, engine, images, options, store).run(stop, progress);
}

std::vector<int64_t> bytes_at_layers(const Candidates& candidates) {
    std::vector<int64_t> bytes;
    for (const net::Layer& layer : candidates.layers) {
        const net::Node& node = candidates.graph.nodes[static_cast<size_t>(layer.node)];
        bytes.push_back(4 * (elements_an_image(candidates.graph, node.inputs[0]) +
                             elements_an_image(candidates.graph, node.outputs[0])));
    }
    return bytes;
}

}  // namespace adiabat::sense
