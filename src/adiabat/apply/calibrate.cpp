// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/calibrate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "adiabat/apply/cut.h"
#include "adiabat/net/extract.h"
#include "adiabat/net/frontier.h"
#include "adiabat/recon/least_squares.h"
#include "adiabat/recon/range_rule.h"
#include "adiabat/recon/rounding.h"
#include "adiabat/sense/layer_rows.h"

namespace adiabat::apply {

namespace {

using net::Graph;
using net::kNoValue;
using net::Tensor;
using net::ValueId;

// A bias of 2^30 units leaves the sum of products room in 32 bits.
constexpr double kMostBiasUnits = 1 << 30;

class Calibration {
  public:
    Calibration(Quantized& quantized, const CalibrationInput& input, net::Engine& engine,
                const net::EngineOptions& options, StopToken stop)
        : quantized_(quantized),
          graph_(quantized.graph),
          input_(input),
          engine_(engine),
          options_(options),
          stop_(std::move(stop)),
          reports_(quantized.layers.size()),
          session_(engine.open(input.original, options)),
          uses_(quantized.graph),
          coded_(quantized.graph, quantized.graph.inputs),
          real_(input.original, input.original.inputs) {
        const auto cut = plan::cut_flags(input.network, input.plan);
        for (size_t k = 0; k < input.network.layers.size(); ++k) {
            if (input.plan.bits[k] == plan::kGone) continue;
            layers_.push_back(input.network.layers[k]);
            kept_.push_back(kept_filters(layers_.back(), cut));
        }
        find_skips();
        for (size_t s = 0; s < quantized.stages.size(); ++s) {
            const Stage& stage = quantized.stages[s];
            // What a stage computes is its codes; its real value only on the way.
            coded_.plan(s, {stage.codes != kNoValue ? stage.codes : stage.real, skips_[s].real});
            // What only moves is computed again from what it moves, where it is needed.
            const bool moves = stage.real == kNoValue;
            real_.plan(s, moves ? std::vector<ValueId>{}
                                : std::vector<ValueId>{stage.original, stage.activated,
                                                       skips_[s].original});
        }
        coded_.set(graph_.inputs[0], input.images);
        real_.set(input.original.inputs[0], input.images);
    }

    void run_stage(size_t s) {
        const Stage& stage = quantized_.stages[s];
        if (stage.real == kNoValue) {
            coded_.set(stage.codes, run_piece(s, stage.codes));
        } else {
            std::vector<Tensor> target;
            Tensor lost;
            if (!is_input(stage.real)) {
                std::vector<ValueId> fetches = {stage.original, stage.activated};
                if (skips_[s].is_there()) fetches.push_back(skips_[s].original);
                target = session_->run(real_.feeds(s), fetches);
                if (skips_[s].is_there()) lost = skip_loss(s, target[0], std::move(target[2]));
            }
            if (stage.layer >= 0) round_layer(static_cast<size_t>(stage.layer), s, target[0], lost);
            Tensor real = is_input(stage.real) ? coded_.at(stage.real) : run_piece(s, stage.real);
            if (!is_input(stage.real)) {
                if (stage.layer >= 0) {
                    add(lost, target[0]);
                    recenter(static_cast<size_t>(stage.layer), target[0], real);
                }
                real_.set(stage.activated, std::move(target[1]));
            }
            if (stage.codes != kNoValue) {
                code(stage, std::move(real));
            } else {
                coded_.set(stage.real, std::move(real));
            }
        }
        coded_.drop_after(s);
        real_.drop_after(s);
    }

    std::vector<RoundingReport> take_reports() { return std::move(reports_); }

  private:
    bool is_input(ValueId id) const {
        return std::find(graph_.inputs.begin(), graph_.inputs.end(), id) != graph_.inputs.end();
    }

    // What a layer's output is added to: in the original, and in the quantized graph.
    struct Skip {
        ValueId original = kNoValue, real = kNoValue;
        bool is_there() const { return original != kNoValue; }
    };

    // Of each stage that is a layer whose output nobody reads but an Add, where the other operand
    // is finished before it. Where branches have gone, that is an earlier value than in the
    // original, and what they gave is part of what it has lost.
    void find_skips() {
        const net::Uses uses(input_.cut), before(input_.original);
        std::map<ValueId, size_t> stage_of;
        for (size_t s = 0; s < quantized_.stages.size(); ++s) {
            if (quantized_.stages[s].real == kNoValue) continue;  // only moves what is there
            stage_of[quantized_.stages[s].original] = s;
            stage_of[quantized_.stages[s].activated] = s;
        }
        skips_.resize(quantized_.stages.size());
        for (size_t s = 0; s < skips_.size(); ++s) {
            const Stage& stage = quantized_.stages[s];
            const auto& readers = uses.readers(stage.original);
            if (stage.layer < 0 || stage.has_relu() || readers.size() != 1) continue;
            const net::Node& add = input_.cut.nodes[static_cast<size_t>(readers[0])];
            const int here = quantized_.node_of[static_cast<size_t>(readers[0])];
            if (add.op != "Add" || here < 0) continue;
            const size_t other = add.inputs[0] == stage.original ? 1 : 0;
            const ValueId skip = add.inputs[other];
            const auto is_before = [&](ValueId id, const auto& again) -> bool {
                if (id == kNoValue || input_.cut.constant(id)) return true;
                if (const auto found = stage_of.find(id); found != stage_of.end())
                    return found->second < s;
                const int producer = uses.producer(id);
                if (producer < 0) return true;
                const auto& inputs = input_.cut.nodes[static_cast<size_t>(producer)].inputs;
                return std::all_of(inputs.begin(), inputs.end(),
                                   [&](ValueId input) { return again(input, again); });
            };
            if (input_.cut.constant(skip) || !is_before(skip, is_before)) continue;
            const auto was = static_cast<size_t>(before.producer(add.outputs[0]));
            skips_[s] = {input_.original.nodes[was].inputs[other],
                         graph_.nodes[static_cast<size_t>(here)].inputs[other]};
        }
    }

    // What the skip of stage s has lost so far, in the channels that stay: of the target's shape,
    // or empty where the two do not match.
    Tensor skip_loss(size_t s, const Tensor& target, Tensor original) {
        const ValueId id = skips_[s].real;
        Tensor real = run_piece(s, id), lost;
        const auto& kept = kept_[static_cast<size_t>(quantized_.stages[s].layer)];
        const int64_t images = target.shape[0], channels = target.shape[1];
        if (original.shape == target.shape && real.shape.size() == target.shape.size() &&
            real.shape[1] == std::ssize(kept) &&
            real.size() * channels == original.size() * std::ssize(kept)) {
            lost = Tensor(net::DType::kFloat, target.shape);
            const int64_t positions = target.size() / images / channels;
            float* to = lost.as<float>().data();
            const float *was = original.as<float>().data(), *is = real.as<float>().data();
            for (int64_t n = 0; n < images; ++n) {
                for (int64_t c : kept) {
                    const int64_t at = (n * channels + c) * positions;
                    for (int64_t p = 0; p < positions; ++p) to[at + p] = was[at + p] - *is++;
                }
            }
        }
        coded_.set(id, std::move(real));
        real_.set(skips_[s].original, std::move(original));
        return lost;
    }
    static void add(const Tensor& more, Tensor& to) {
        if (more.shape.empty()) return;
        const auto from = more.as<float>();
        for (size_t k = 0; k < from.size(); ++k) to.as<float>()[k] += from[k];
    }

    void set_constant(ValueId id, Tensor tensor) {
        graph_.value(id).constant = std::make_shared<const Tensor>(std::move(tensor));
    }

    // The value of stage s computed from what it needs.
    Tensor run_piece(size_t s, ValueId wanted) {
        const net::Piece piece = net::extract(graph_, coded_.needs(s), std::vector{wanted});
        std::vector<net::Feed> feeds;
        for (ValueId id : coded_.needs(s)) {
            feeds.push_back({piece.id_of[static_cast<size_t>(id)], &coded_.at(id)});
        }
        return std::move(engine_.open(piece.graph, options_)->run(feeds, piece.graph.outputs)[0]);
    }

    // Weights, scales and the bias as it was. `target` is what the original gives, `lost` what is
    // to be given besides, if it is not empty.
    void round_layer(size_t k, size_t s, const Tensor& target, const Tensor& lost) {
        const LayerParameters& p = quantized_.layers[k];
        net::Layer layer = layers_[k];
        const Tensor& weight = *input_.cut.constant(layer.weight);
        const net::Node& node =
            graph_.nodes[static_cast<size_t>(uses_.readers(p.decoded_weight).at(0))];
        layer.filters = weight.shape[static_cast<size_t>(layer.filter_axis)];
        layer.inputs = weight.shape[static_cast<size_t>(1 - layer.filter_axis)];
        layer.groups = node.int_or("group", 1);
        const std::vector<float> filters = net::filters_of(input_.cut, layer);
        const auto rows = static_cast<size_t>(layer.filters);
        const size_t width = filters.size() / rows;
        const Tensor* bias = input_.cut.constant(layer.bias);
        const bool reads_float = p.weight.input_scale == kNoValue;
        const float input_scale =
            reads_float ? 0 : graph_.constant(p.weight.input_scale)->as<float>()[0];

        std::vector<float> wanted(rows, 0.0f), least(rows);
        for (size_t i = 0; i < rows && bias; ++i) {
            wanted[i] = bias->as<float>()[i];
            if (reads_float) continue;
            least[i] = static_cast<float>(2 * std::abs(static_cast<double>(wanted[i])) /
                                          kMostBiasUnits / static_cast<double>(input_scale));
        }
        const ValueId input = node.inputs[0];
        const Tensor read = is_input(input) ? coded_.at(input) : run_piece(s, input);
        const auto positions = sense::LayerRows::of(node, layer, weight.shape, read);
        const Filters given{filters, least, p.weight.bits, reports_[k]};
        const recon::RoundedFilters result =
            positions ? reconstructed(given, *positions, {target, lost, kept_[k]})
                      : recon::plain_rounding(given.matrix(0, given.rows()), p.weight.bits,
                                              given.least_scales);

        store_codes(p, layer.filter_axis, rows, width, result.codes);
        set_constant(p.weight.scales, Tensor::of<float>({layer.filters}, result.scales));
        if (reads_float) return set_constant(p.bias, Tensor::of<float>({layer.filters}, wanted));
        std::vector<float> bias_scales(rows);
        std::vector<int32_t> biases(rows, 0);
        for (size_t i = 0; i < rows; ++i) {
            bias_scales[i] = input_scale * result.scales[i];
            biases[i] = static_cast<int32_t>(
                std::llround(static_cast<double>(wanted[i]) / static_cast<double>(bias_scales[i])));
        }
        set_constant(p.weight.bias_scales, Tensor::of<float>({layer.filters}, bias_scales));
        set_constant(p.bias, Tensor::of<int32_t>({layer.filters}, biases));
    }

    // A layer's filters [F, D] as they are, the least scale of each, and the bits.
    struct Filters {
        const std::vector<float>& values;
        const std::vector<float>& least_scales;
        int bits;
        RoundingReport& report;

        size_t rows() const { return least_scales.size(); }
        size_t width() const { return values.size() / rows(); }
        recon::Matrix matrix(size_t first, size_t count) const {
            return Eigen::Map<const recon::Rows>(values.data() + first * width(),
                                                 static_cast<Eigen::Index>(count),
                                                 static_cast<Eigen::Index>(width()))
                .cast<double>();
        }
    };

    // What a layer should give.
    struct Wanted {
        const Tensor &target, &lost;
        const std::vector<int64_t>& kept;
    };

    // By least squares and rounding under the moments, group by group.
    recon::RoundedFilters reconstructed(const Filters& filters, const sense::LayerRows& positions,
                                        const Wanted& wanted) const {
        const size_t rows = filters.rows() / static_cast<size_t>(positions.groups());
        recon::RoundedFilters result;
        for (size_t g = 0; g < static_cast<size_t>(positions.groups()); ++g) {
            const size_t first = g * rows;
            const auto group = static_cast<int64_t>(g);
            recon::Halves halves;
            const recon::Moments moments =
                wanted.lost.shape.empty()
                    ? positions.moments(group, wanted.target, wanted.kept, options_.threads,
                                        &halves)
                    : positions.moments(group, wanted.target, wanted.lost, wanted.kept,
                                        options_.threads, &halves);
            const recon::Matrix given = filters.matrix(first, rows);
            const recon::Matrix weights = recon::reconstructed(moments, given);
            const recon::RoundedFilters part =
                rounded(input_.rounding,
                        {moments, weights, given, filters.bits,
                         std::span(filters.least_scales).subspan(first, rows), options_.threads},
                        halves, filters.report, stop_);
            result.codes.insert(result.codes.end(), part.codes.begin(), part.codes.end());
            result.scales.insert(result.scales.end(), part.scales.begin(), part.scales.end());
        }
        return result;
    }

    void store_codes(const LayerParameters& p, int filter_axis, size_t rows, size_t width,
                     const std::vector<int8_t>& codes) {
        Tensor stored(graph_.constant(p.weight.codes)->type,
                      graph_.constant(p.weight.codes)->shape);
        ADIABAT_CHECK(stored.bytes.size() == codes.size(), "{} codes for {}", codes.size(),
                      net::to_string(stored.shape));
        for (size_t row = 0; row < rows; ++row) {
            for (size_t c = 0; c < width; ++c) {
                const size_t to = filter_axis == 0 ? row * width + c : c * rows + row;
                stored.bytes[to] = static_cast<uint8_t>(codes[row * width + c] + p.code_offset);
            }
        }
        set_constant(p.weight.codes, std::move(stored));
    }

    // Shifts the bias of layer k, and `real`, its output with rounded weights, to the original's
    // means.
    void recenter(size_t k, const Tensor& target, Tensor& real) {
        const LayerParameters& p = quantized_.layers[k];
        const std::vector<int64_t>& kept = kept_[k];
        const std::vector<double> means = net::channel_means(real),
                                  wanted = net::channel_means(target);
        Tensor bias = *graph_.constant(p.bias);
        std::vector<float> shifts(means.size());
        for (size_t i = 0; i < means.size(); ++i) {
            const double shift = wanted[static_cast<size_t>(kept[i])] - means[i];
            if (p.weight.bias_scales == kNoValue) {
                shifts[i] = static_cast<float>(shift);
                bias.as<float>()[i] += shifts[i];
                continue;
            }
            const auto scale =
                static_cast<double>(graph_.constant(p.weight.bias_scales)->as<float>()[i]);
            int32_t& units = bias.as<int32_t>()[i];
            const double moved =
                std::clamp(std::nearbyint(units + shift / scale), -kMostBiasUnits, kMostBiasUnits);
            shifts[i] = static_cast<float>((moved - units) * scale);
            units = static_cast<int32_t>(moved);
        }
        set_constant(p.bias, std::move(bias));
        net::add_to_channels(real, shifts);
    }

    // Range, scale and codes of a value.
    void code(const Stage& stage, Tensor real) {
        const auto values = real.as<float>();
        for (float& x : values) {
            if (!std::isfinite(x)) {
                throw InputError(
                    "{}: an activation is {} on the calibration images: the network or its "
                    "preprocessing is broken",
                    input_.original.value(stage.original).name, x);
            }
        }
        if (stage.has_relu()) {
            for (float& x : values) x = std::max(x, 0.0f);
        }
        const recon::CodeMap map = recon::code_map(recon::range_of(values, input_.ranges));
        set_constant(stage.scale, Tensor::scalar(map.scale));
        set_constant(stage.zero_point, Tensor::scalar(map.zero_point));
        const net::Piece piece =
            net::extract(graph_, std::vector{stage.real}, std::vector{stage.codes});
        const std::vector<net::Feed> feeds = {{piece.graph.inputs[0], &real}};
        coded_.set(
            stage.codes,
            std::move(engine_.open(piece.graph, options_)->run(feeds, piece.graph.outputs)[0]));
    }

    // Filters of a layer that stay.
    std::vector<int64_t> kept_filters(const net::Layer& layer, std::span<const uint8_t> cut) const {
        const auto* labels = input_.network.coupling.labels_of(layer.weight, layer.filter_axis);
        if (labels) return kept_indices(*labels, cut);
        std::vector<int64_t> all(static_cast<size_t>(layer.filters));
        std::iota(all.begin(), all.end(), 0);
        return all;
    }

    Quantized& quantized_;
    Graph& graph_;
    std::vector<net::Layer> layers_;          // of the network, those that are not gone
    std::vector<std::vector<int64_t>> kept_;  // their filters that stay
    std::vector<Skip> skips_;                 // one a stage
    const CalibrationInput& input_;
    net::Engine& engine_;
    const net::EngineOptions& options_;
    StopToken stop_;
    std::vector<RoundingReport> reports_;    // one a layer
    std::unique_ptr<net::Session> session_;  // of the original
    net::Uses uses_;
    net::Frontier coded_, real_;  // of the quantized graph, of the original
};

}  // namespace

std::vector<RoundingReport> calibrate(Quantized& quantized, const CalibrationInput& input,
                                      net::Engine& engine, const net::EngineOptions& options,
                                      StopToken stop, ProgressSink& progress) {
    ADIABAT_CHECK(quantized.graph.inputs.size() == 1, "{} inputs", quantized.graph.inputs.size());
    Calibration calibration(quantized, input, engine, options, stop);
    progress.begin("apply", quantized.stages.size(), "tensors");
    for (size_t s = 0; s < quantized.stages.size(); ++s) {
        if (stop.requested()) throw Interrupted();
        calibration.run_stage(s);
        progress.update(s + 1);
    }
    return calibration.take_reports();
}

}  // namespace adiabat::apply
