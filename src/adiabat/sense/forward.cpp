// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/forward.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "adiabat/net/frontier.h"
#include "adiabat/sense/activation_codes.h"
#include "adiabat/sense/branch_runs.h"
#include "adiabat/sense/effect_sums.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

// What a candidate adds to the weights and bias of one layer.
struct Change {
    size_t layer = 0;
    recon::Rows weights;      // [F, D]
    std::vector<float> bias;  // [F]
};

class Running {
  public:
    Running(const Candidates& candidates, net::Engine& engine, const Probes& probes,
            const ForwardOptions& options)
        : candidates_(candidates),
          probes_(probes),
          step_(static_cast<float>(options.step)),
          graph_(with_biases(probes.network(candidates), candidates.layers)),
          session_(engine.open(graph_, {options.common.threads})),
          branches_(candidates, probes, engine, options.common.threads),
          outputs_(sensed_outputs(graph_)) {
        if (probes.around) original_ = engine.open(candidates.graph, {options.common.threads});
        for (int u = 0; u < candidates.columns(); ++u) {
            const auto changes = changes_of(u);
            size_t first = candidates.layers.size();
            for (const Change& change : changes) first = std::min(first, change.layer);
            if (first < candidates.layers.size()) starting_at_[first].push_back(u);
        }
    }

    EffectPiece piece(int64_t first_image, const Tensor& images, const StopToken& stop) {
        const std::vector<net::Feed> feeds = {{graph_.inputs[0], &images}};
        const std::vector<Tensor> before = session_->run(feeds, outputs_);
        std::vector<Tensor> original;
        if (original_) original = original_->run(feeds, outputs_);
        const auto seeds = probes_.directions.seeds(original_ ? original : before, first_image);
        EffectPiece piece;
        if (original_) {
            const recon::Rows r0 = along_seeds(seeds, original, before);
            piece.residual.assign(r0.data(), r0.data() + r0.size());
        }
        piece.first_image = first_image;
        piece.rows =
            recon::Rows::Zero(images.shape[0] * probes_.directions.count, candidates_.columns());
        for (const net::Layer& layer : candidates_.layers) {
            piece.of_filters.emplace_back(candidates_.widths[piece.of_filters.size()].size() *
                                          static_cast<size_t>(layer.filters));
        }
        for (const auto& [layer, list] : starting_at_) {
            const std::vector<ValueId> cut =
                net::values_across(graph_, candidates_.layers[layer].node);
            const std::vector<Tensor> held = session_->run(feeds, cut);
            std::vector<net::Feed> prefix;
            for (size_t i = 0; i < cut.size(); ++i) prefix.push_back({cut[i], &held[i]});
            for (int u : list) {
                if (stop.requested()) throw Interrupted();
                const auto changes = changes_of(u);
                for (const Change& change : changes) apply(change, step_);
                const auto after = session_->run(prefix, outputs_);
                for (const Change& change : changes) apply(change, 0);
                piece.rows.col(u) = along_seeds(seeds, before, after) / step_;
            }
        }
        const ActivationRuns activations{candidates_, graph_, *session_, probes_.code_maps, step_};
        activations.add_rows(images, before, seeds, piece.rows, stop);
        branches_.add_rows(first_image, images, before, seeds, piece.rows, stop);
        return piece;
    }

  private:
    std::vector<Change> changes_of(int u) const {
        std::vector<Change> changes;
        if (u < candidates_.groups()) {
            const int family = candidates_.coupling.groups[static_cast<size_t>(u)].family;
            const bool is_direct = probes_.is_direct[static_cast<size_t>(family)] != 0;
            for (size_t k = 0; k < candidates_.layers.size() && !is_direct; ++k) {
                if (auto change = cut_of(k, u)) changes.push_back(std::move(*change));
            }
            return changes;
        }
        for (size_t k = 0; k < candidates_.layers.size(); ++k) {
            for (size_t w = 0; w < candidates_.widths[k].size(); ++w) {
                if (candidates_.column(k, w) == u) changes.push_back(rounding_of(k, w));
            }
        }
        return changes;
    }

    std::optional<Change> cut_of(size_t k, net::GroupId group) const {
        const LayerProbe& probe = probes_.layers[k];
        const auto place = std::lower_bound(probe.cuts.begin(), probe.cuts.end(), group);
        if (place == probe.cuts.end() || *place != group) return {};
        const auto cut = static_cast<int>(place - probe.cuts.begin());
        const net::Layer& layer = candidates_.layers[k];
        const int64_t width = layer.inputs * layer.taps, own = layer.filters / layer.groups;
        Change change{k, recon::Rows::Zero(layer.filters, width),
                      std::vector<float>(static_cast<size_t>(layer.filters))};
        for (int64_t g = 0; g < layer.groups; ++g) {
            for (int64_t s = 0; s < probe.rows(); ++s) {
                if (probe.cut_of_row[static_cast<size_t>(s)] != cut) continue;
                const int64_t row = g * probe.rows() + s;
                for (int64_t f = g * own; f < (g + 1) * own; ++f) {
                    const float w = probe.coefficients(row, f - g * own);
                    change.weights.row(f) -= w * probe.residual.row(row);
                    change.bias[static_cast<size_t>(f)] +=
                        w * probe.residual_offset[static_cast<size_t>(row)];
                }
            }
        }
        return change;
    }

    Change rounding_of(size_t k, size_t w) const {
        const LayerProbe& probe = probes_.layers[k];
        const net::Layer& layer = candidates_.layers[k];
        const auto widths = static_cast<int64_t>(candidates_.widths[k].size());
        const int64_t own = layer.filters / layer.groups;
        Change change{k, recon::Rows(layer.filters, layer.inputs * layer.taps), {}};
        for (int64_t f = 0; f < layer.filters; ++f) {
            const int64_t row = (f / own * widths + static_cast<int64_t>(w)) * own + f % own;
            change.weights.row(f) = probe.rounding.row(row);
            change.bias.push_back(-probe.rounding_offset[static_cast<size_t>(row)]);
        }
        return change;
    }

    // The layer with `step` times the change.
    void apply(const Change& change, float step) {
        const net::Layer& layer = candidates_.layers[change.layer];
        Tensor weight = *graph_.constant(layer.weight);
        const auto values = weight.as<float>();
        const auto filters = static_cast<size_t>(layer.filters);
        const auto width = static_cast<size_t>(layer.inputs * layer.taps);
        for (size_t f = 0; f < filters; ++f) {
            for (size_t i = 0; i < width; ++i) {
                const size_t at = layer.filter_axis == 0 ? f * width + i : i * filters + f;
                values[at] += step * change.weights.data()[f * width + i];
            }
        }
        session_->set_constant(layer.weight, weight);
        const ValueId id = graph_.nodes[static_cast<size_t>(layer.node)].inputs[2];
        Tensor bias = *graph_.constant(id);
        for (size_t f = 0; f < filters; ++f) bias.as<float>()[f] += step * change.bias[f];
        session_->set_constant(id, bias);
    }

    const Candidates& candidates_;
    const Probes& probes_;
    float step_;
    net::Graph graph_;
    std::unique_ptr<net::Session> session_;
    BranchRuns branches_;
    std::unique_ptr<net::Session> original_;  // around an incumbent
    std::vector<ValueId> outputs_;
    std::map<size_t, std::vector<int>> starting_at_;  // candidates by the first layer they touch
};

}  // namespace

Effects sense_by_forward(const Candidates& candidates, net::Engine& engine,
                         const ImageBatches& images, const ForwardOptions& options, Store& store,
                         StopToken stop, ProgressSink& progress) {
    const GradientOptions& common = options.common;
    const Probes probes =
        probe_network(candidates, engine, images, probing_options(common), store, stop, progress);
    Running running(candidates, engine, probes, options);
    EffectSums sums(candidates, common.images, probes.directions.count, common.threads);
    const int64_t batch = stored_batch(store, "forward-batch",
                                       batch_size(candidates, common, probes.directions.count) * 4);
    progress.begin("sense by running", static_cast<uint64_t>(common.images), "images");
    for (int64_t begin = 0; begin < common.images; begin += batch) {
        const int64_t count = std::min(batch, common.images - begin);
        const std::string name = fmt::format("forward-{:08}-{:04}", begin, count);
        if (const auto bytes = store.get(name)) {
            sums.add(EffectPiece::from_bytes(*bytes));
        } else {
            const EffectPiece piece = running.piece(begin, images(begin, count), stop);
            store.put(name, piece.to_bytes());
            sums.add(piece);
        }
        progress.update(static_cast<uint64_t>(begin + count));
    }
    Effects effects = std::move(sums).effects(probes.layers);
    effects.are_scores = probes.directions.are_scores;
    return effects;
}

}  // namespace adiabat::sense
