// SPDX-License-Identifier: Apache-2.0
#include "adiabat/sense/gradient.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "adiabat/base/threads.h"
#include "adiabat/sense/activation_codes.h"
#include "adiabat/sense/branch_runs.h"
#include "adiabat/sense/effect_sums.h"
#include "adiabat/sense/probe_products.h"
#include "adiabat/sense/weight_slopes.h"

namespace adiabat::sense {

namespace {

using net::Tensor;
using net::ValueId;

// Images a thread: an engine works in slices of as many, and larger batches only leave the caches.
constexpr int64_t kImagesAThread = 8;

// The values [channels, positions] of one image.
class Planes {
  public:
    Planes(const Tensor& tensor, int64_t image, int64_t channels)
        : positions_(tensor.size() / tensor.shape[0] / std::max<int64_t>(1, channels)),
          values_(tensor.as<float>().data() + image * channels * positions_) {}
    Eigen::Map<const Eigen::VectorXf> operator[](int64_t channel) const {
        return {values_ + channel * positions_, positions_};
    }

  private:
    Eigen::Index positions_;
    const float* values_;
};

class Streaming {
  public:
    Streaming(const Candidates& candidates, net::Engine& engine, const Probes& probes, int threads)
        : candidates_(candidates),
          probes_(probes),
          threads_(threads),
          session_(engine.open(probes.network(candidates), {threads})),
          branches_(candidates, probes, engine, threads),
          outputs_(sensed_outputs(candidates.graph)) {
        if (probes.around) original_ = engine.open(candidates.graph, {threads});
        for (size_t k = 0; k < candidates.layers.size(); ++k) {
            const net::EngineOptions how{threads};
            slopes_.push_back(WeightSlopes::make(candidates, k, probes.layers[k],
                                                 probes.directions.count, engine, how));
            const bool by_slopes = slopes_[k] != nullptr;
            const bool cuts_left =
                by_slopes && !slopes_[k]->has_cuts() && probes.layers[k].rows() > 0;
            products_.push_back(by_slopes && !cuts_left ? nullptr
                                                        : std::make_unique<ProbeProducts>(
                                                              candidates, k, probes.layers[k],
                                                              !by_slopes, engine, how));
            const net::Node& node =
                candidates.graph.nodes[static_cast<size_t>(candidates.layers[k].node)];
            inputs_.push_back(node.inputs[0]);
            wanted_.push_back(node.outputs[0]);
        }
        for (const DirectProbe& direct : probes.direct) {
            wanted_.push_back(direct.value);
            fetched_.push_back(direct.value);
        }
        for (size_t a : candidates.coded()) {
            wanted_.push_back(candidates.activations[a].value);
            fetched_.push_back(wanted_.back());
        }
    }

    EffectPiece piece(int64_t first_image, const Tensor& images, const StopToken& stop) {
        const std::vector<net::Feed> feeds = {{candidates_.graph.inputs[0], &images}};
        const std::vector<Tensor> outputs = session_->run(feeds, outputs_);
        std::vector<Tensor> original;
        if (original_) original = original_->run(feeds, outputs_);
        const auto seeds = probes_.directions.seeds(original_ ? original : outputs, first_image);
        std::vector<ValueId> fetches = inputs_;
        fetches.insert(fetches.end(), fetched_.begin(), fetched_.end());
        found_ = session_->gradients_of_many(feeds, outputs_, seeds, wanted_, fetches,
                                             std::move(found_));
        EffectPiece piece;
        piece.first_image = first_image;
        piece.rows =
            recon::Rows::Zero(images.shape[0] * probes_.directions.count, candidates_.columns());
        if (original_) {
            const recon::Rows r0 = along_seeds(seeds, original, outputs);
            piece.residual.assign(r0.data(), r0.data() + r0.size());
        }
        const size_t layers = candidates_.layers.size();
        for (size_t k = 0; k < layers; ++k) {
            if (products_[k]) add_products(k, found_.fetched[k], found_.gradients, piece);
            if (slopes_[k]) add_slopes(k, found_.fetched[k], found_.gradients, piece);
        }
        for (size_t d = 0; d < probes_.direct.size(); ++d) {
            add_direct(probes_.direct[d], found_.fetched[layers + d], layers + d, found_.gradients,
                       piece);
        }
        const std::vector<size_t> coded = candidates_.coded();
        for (size_t i = 0; i < coded.size(); ++i) {
            const size_t at = layers + probes_.direct.size() + i;
            add_activation(rounding_error(found_.fetched[at], probes_.code_maps[i]), at,
                           candidates_.column_of_codes(coded[i]), piece);
        }
        branches_.add_rows(first_image, images, outputs, seeds, piece.rows, stop);
        if (!piece.rows.allFinite()) {
            throw InputError(
                "images {} .. {}: an activation or a gradient is no number: the network or its "
                "preprocessing is broken",
                first_image, first_image + images.shape[0] - 1);
        }
        return piece;
    }

  private:
    using Gradients = std::vector<std::vector<Tensor>>;  // [direction][wanted]

    void add_products(size_t k, const Tensor& x, const Gradients& gradients, EffectPiece& piece) {
        const LayerProbe& probe = probes_.layers[k];
        const net::Layer& layer = candidates_.layers[k];
        const auto widths = static_cast<int64_t>(candidates_.widths[k].size());
        const ProbeProducts::OfInputs products = products_[k]->of_inputs(x);
        const int64_t images = x.shape[0], directions = probes_.directions.count;
        // Squares of every filter alone, image by image: summed in order.
        recon::Rows squares = recon::Rows::Zero(images, widths * layer.filters);
        for (int64_t j = 0; j < directions; ++j) {
            const Tensor& gradient = gradients[static_cast<size_t>(j)][k];
            const Tensor back = products_[k]->pullback(gradient);
            parallel_for(images, threads_, [&](int64_t begin, int64_t end, int) {
                for (int64_t n = begin; n < end; ++n) {
                    const auto row = piece.rows.row(n * directions + j);
                    if (probe.rows() > 0) {
                        add_cuts(probe, layer, Planes(products.residuals, n, rows_of(k)),
                                 Planes(back, n, rows_of(k)), row);
                    }
                    if (!products_[k]->has_widths()) continue;
                    add_widths(k, Planes(products.roundings, n, widths * layer.filters),
                               Planes(gradient, n, layer.filters), row, squares.row(n));
                }
            });
        }
        if (products_[k]->has_widths()) keep_squares(squares, piece);
    }

    static void keep_squares(const recon::Rows& squares, EffectPiece& piece) {
        const recon::Vector sums = squares.cast<double>().colwise().sum();
        piece.of_filters.emplace_back(sums.data(), sums.data() + sums.size());
    }

    // Widths, and cuts if products do not find them, from the slopes of the layer's weights.
    void add_slopes(size_t k, const Tensor& x, const Gradients& gradients, EffectPiece& piece) {
        const LayerProbe& probe = probes_.layers[k];
        const int64_t images = x.shape[0], directions = probes_.directions.count;
        const int64_t filters = candidates_.layers[k].filters;
        std::vector<const Tensor*> of_layer;
        for (const auto& direction : gradients) of_layer.push_back(&direction[k]);
        const WeightSlopes::Slopes found = slopes_[k]->of(x, of_layer);
        const recon::Rows& roundings = slopes_[k]->roundings();
        recon::Rows squares = recon::Rows::Zero(images, roundings.rows());
        parallel_for(images, threads_, [&](int64_t begin, int64_t end, int) {
            for (int64_t n = begin; n < end; ++n) {
                const int64_t first = n * directions;
                if (slopes_[k]->has_cuts()) add_cuts(probe, found.cuts, first, piece);
                const Eigen::Map<const recon::Rows> slopes(
                    found.slopes.as<float>().data() + first * filters * roundings.cols(),
                    directions * filters, roundings.cols());
                // Filter by filter, whose slopes stay in the cache.
                for (Eigen::Index f = 0; f < filters; ++f) {
                    for (Eigen::Index r = f; r < roundings.rows(); r += filters) {
                        const int column = candidates_.column(k, static_cast<size_t>(r / filters));
                        for (int64_t j = 0; j < directions; ++j) {
                            const float effect = roundings.row(r).dot(slopes.row(j * filters + f));
                            piece.rows(first + j, column) += effect;
                            squares(n, r) += effect * effect;
                        }
                    }
                }
            }
        });
        keep_squares(squares, piece);
    }

    // Rows first .. first + directions - 1 of both.
    void add_cuts(const LayerProbe& probe, const Tensor& cuts, int64_t first,
                  EffectPiece& piece) const {
        for (int64_t at = first; at < first + probes_.directions.count; ++at) {
            for (size_t c = 0; c < probe.cuts.size(); ++c) {
                if (is_direct(probe.cuts[c])) continue;
                piece.rows(at, candidates_.column(probe.cuts[c])) -=
                    cuts.as<float>()[static_cast<size_t>(at) * probe.cuts.size() + c];
            }
        }
    }

    bool is_direct(net::GroupId cut) const {
        const int family = candidates_.coupling.groups[static_cast<size_t>(cut)].family;
        return probes_.is_direct[static_cast<size_t>(family)] != 0;
    }

    int64_t rows_of(size_t k) const {
        return probes_.layers[k].rows() * candidates_.layers[k].groups;
    }

    void add_cuts(const LayerProbe& probe, const net::Layer& layer, const Planes& residuals,
                  const Planes& back, Eigen::Ref<Eigen::RowVectorXf> row) const {
        for (int64_t g = 0; g < layer.groups; ++g) {
            for (int64_t s = 0; s < probe.rows(); ++s) {
                const net::GroupId cut =
                    probe.cuts[static_cast<size_t>(probe.cut_of_row[static_cast<size_t>(s)])];
                if (is_direct(cut)) continue;
                const int64_t channel = g * probe.rows() + s;
                row[candidates_.column(cut)] -= residuals[channel].dot(back[channel]);
            }
        }
    }

    void add_widths(size_t k, const Planes& roundings, const Planes& gradient,
                    Eigen::Ref<Eigen::RowVectorXf> row,
                    Eigen::Ref<Eigen::RowVectorXf> squares) const {
        const net::Layer& layer = candidates_.layers[k];
        const auto widths = static_cast<int64_t>(candidates_.widths[k].size());
        const int64_t filters = layer.filters / layer.groups;
        for (int64_t g = 0; g < layer.groups; ++g) {
            for (int64_t w = 0; w < widths; ++w) {
                float& sum = row[candidates_.column(k, static_cast<size_t>(w))];
                for (int64_t f = 0; f < filters; ++f) {
                    const float effect =
                        roundings[(g * widths + w) * filters + f].dot(gradient[g * filters + f]);
                    sum += effect;
                    squares[w * layer.filters + g * filters + f] += effect * effect;
                }
            }
        }
    }

    void add_direct(const DirectProbe& direct, const Tensor& y, size_t wanted,
                    const Gradients& gradients, EffectPiece& piece) const {
        const int64_t directions = probes_.directions.count;
        const auto channels = std::ssize(direct.groups);
        parallel_for(y.shape[0] * directions, threads_, [&](int64_t begin, int64_t end, int) {
            for (int64_t at = begin; at < end; ++at) {
                const int64_t n = at / directions;
                const Tensor& gradient = gradients[static_cast<size_t>(at % directions)][wanted];
                const Planes values(y, n, channels), slopes(gradient, n, channels);
                for (size_t c = 0; c < direct.groups.size(); ++c) {
                    if (direct.groups[c] == net::kStays || is_gone(direct.groups[c])) continue;
                    const auto channel = static_cast<int64_t>(c);
                    piece.rows(at, candidates_.column(direct.groups[c])) -=
                        values[channel].dot(slopes[channel]) -
                        direct.means[c] * slopes[channel].sum();
                }
            }
        });
    }

    void add_activation(const Tensor& error, size_t wanted, int column, EffectPiece& piece) const {
        const int64_t directions = probes_.directions.count;
        parallel_for(error.shape[0] * directions, threads_, [&](int64_t begin, int64_t end, int) {
            for (int64_t at = begin; at < end; ++at) {
                const Tensor& gradient =
                    found_.gradients[static_cast<size_t>(at % directions)][wanted];
                const int64_t n = at / directions;
                piece.rows(at, column) = Planes(error, n, 1)[0].dot(Planes(gradient, n, 1)[0]);
            }
        });
    }

    bool is_gone(net::GroupId group) const {
        return candidates_.incumbent && candidates_.incumbent->cut[static_cast<size_t>(group)];
    }

    const Candidates& candidates_;
    const Probes& probes_;
    int threads_;
    std::unique_ptr<net::Session> session_;
    BranchRuns branches_;
    std::unique_ptr<net::Session> original_;  // around an incumbent
    std::vector<ValueId> outputs_, inputs_, wanted_, fetched_;
    // Of each layer one of both.
    std::vector<std::unique_ptr<WeightSlopes>> slopes_;
    std::vector<std::unique_ptr<ProbeProducts>> products_;
    net::ManyGradients found_;  // of the batch before: its memory is used again
};

}  // namespace

int64_t stored_batch(Store& store, const std::string& name, int64_t batch) {
    if (const auto bytes = store.get(name)) return ByteReader(*bytes).number<int64_t>();
    ByteWriter writer;
    writer.number(batch);
    store.put(name, writer.take());
    return batch;
}

ProbingOptions probing_options(const GradientOptions& options) {
    return {options.directions, std::min(options.images, options.probe_images),
            uint64_t{2} * options.memory_bytes, options.threads, options.ranges};
}

int64_t batch_size(const Candidates& candidates, const GradientOptions& options, int directions) {
    int64_t bytes = 1;
    for (int64_t layer : bytes_at_layers(candidates)) bytes += layer * (directions + 1);
    for (size_t a : candidates.coded()) {
        bytes += 4 * elements_an_image(candidates.graph, candidates.activations[a].value) *
                 (directions + 1);
    }
    return std::clamp<int64_t>(static_cast<int64_t>(options.memory_bytes) / bytes, 1,
                               kImagesAThread * thread_count(options.threads));
}

Effects sense_by_gradients(const Candidates& candidates, net::Engine& engine,
                           const ImageBatches& images, const GradientOptions& options, Store& store,
                           StopToken stop, ProgressSink& progress) {
    ADIABAT_CHECK(options.images > 0, "no images to sense with");
    const Probes probes =
        probe_network(candidates, engine, images, probing_options(options), store, stop, progress);
    Streaming streaming(candidates, engine, probes, options.threads);
    EffectSums sums(candidates, options.images, probes.directions.count, options.threads);
    const int64_t batch =
        stored_batch(store, "batch", batch_size(candidates, options, probes.directions.count));
    progress.begin("sense", static_cast<uint64_t>(options.images), "images");
    for (int64_t begin = 0; begin < options.images; begin += batch) {
        if (stop.requested()) throw Interrupted();
        const int64_t count = std::min(batch, options.images - begin);
        const std::string name = fmt::format("images-{:08}-{:04}", begin, count);
        if (const auto bytes = store.get(name)) {
            sums.add(EffectPiece::from_bytes(*bytes));
        } else {
            const EffectPiece piece = streaming.piece(begin, images(begin, count), stop);
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
