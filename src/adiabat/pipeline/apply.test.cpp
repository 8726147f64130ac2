// SPDX-License-Identifier: Apache-2.0
//
// Applying a plan, with a real engine: cutting, calibrating, writing and reading back.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "adiabat/apply/calibrate.h"
#include "adiabat/apply/cut.h"
#include "adiabat/apply/masked.test.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/net/simplify.h"
#include "adiabat/onnx/read.h"
#include "adiabat/onnx/write.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/plan/fixture.test.h"

namespace adiabat::pipeline {
namespace {

plan::Plan random_cuts(const plan::Network& network, int bits, Random& random) {
    plan::Plan plan = plan::uniform_plan(network, bits);
    for (auto& cut : plan.cut) {
        for (size_t i = plan::kLeastKept; i < cut.size(); ++i) cut[i] = random.below(2);
    }
    return plan;
}

net::Tensor outputs_of(const net::Graph& graph, const net::Tensor& images) {
    return run_network(*load_engine()->open(graph, {}), images, 64);
}

double largest_difference(const net::Tensor& a, const net::Tensor& b) {
    EXPECT_EQ(a.shape, b.shape);
    double largest = 0;
    for (size_t k = 0; k < a.as<float>().size(); ++k) {
        largest =
            std::max(largest, std::abs(static_cast<double>(a.as<float>()[k] - b.as<float>()[k])));
    }
    return largest;
}

double scale_of(const net::Tensor& a) {
    double largest = 0;
    for (float x : a.as<float>()) largest = std::max(largest, std::abs(static_cast<double>(x)));
    return largest;
}

TEST(Apply, CutEqualsMasked) {
    for (uint64_t seed = 0; seed < 20; ++seed) {
        const net::Graph graph = net::residual_network(seed);
        const plan::Network network(graph);
        Random random(seed, 1);
        const plan::Plan plan = random_cuts(network, 8, random);
        const net::Tensor images = net::random_tensor({7, 3, 8, 8}, seed);
        const auto flags = plan::cut_flags(network, plan);
        const net::Tensor expected =
            outputs_of(apply::mask_groups(graph, network.coupling, flags), images);
        const net::Tensor cut =
            outputs_of(apply::cut_groups(graph, network.coupling, flags), images);
        EXPECT_LE(largest_difference(cut, expected), 1e-5 * (1 + scale_of(expected)))
            << "seed " << seed;
    }
}

struct Applied {
    explicit Applied(uint64_t seed)
        : graph(net::residual_network(seed)), network(graph, plan::with_activations()) {}

    net::Graph graph, cut;
    plan::Network network;
    plan::Plan plan;
    apply::Quantized quantized;
};

// Of `floats` activations of ten float.
std::unique_ptr<Applied> apply_plan(uint64_t seed, int bits, bool cut, const net::Tensor& images,
                                    uint32_t floats = 0) {
    auto a = std::make_unique<Applied>(seed);
    Random random(seed, 2);
    a->plan = cut ? random_cuts(a->network, bits, random) : plan::uniform_plan(a->network, bits);
    for (size_t k = a->network.layers.size(); k < a->network.tensors(); ++k) {
        a->plan.bits[k] = random.below(10) < floats ? net::kFloatBits : net::kActivationBits;
    }
    a->cut = apply::cut_groups(a->graph, a->network.coupling, plan::cut_flags(a->network, a->plan));
    a->quantized = apply::quantize(a->cut, net::find_layers(a->cut),
                                   apply::widths_of(a->network, a->plan), onnx::Storage::kPlanes);
    const auto engine = load_engine();
    apply::calibrate(a->quantized, {a->graph, a->cut, a->network, a->plan, images}, *engine, {});
    return a;
}

TEST(Apply, EightBitsAreCloseToFloat) {
    for (uint64_t seed = 0; seed < 8; ++seed) {
        const net::Tensor images = net::random_tensor({64, 3, 8, 8}, seed);
        const auto applied = apply_plan(seed, 8, false, images);
        Applied& a = *applied;
        const net::Tensor expected = outputs_of(a.graph, images);
        const double error =
            relative_squared_error(expected, outputs_of(a.quantized.graph, images));
        EXPECT_LT(error, 0.02) << "seed " << seed;
        // What is left where no activation is coded is the weights'.
        const auto real = apply_plan(seed, 8, false, images, 10);
        EXPECT_LT(relative_squared_error(expected, outputs_of(real->quantized.graph, images)),
                  0.3 * error)
            << "seed " << seed;
    }
}

// Whatever the bits and cuts, every channel of every layer has the original's mean on the images,
// or that of the sum where it is added to a skip path, within half a unit of its bias.
TEST(Apply, BiasesAreRecentered) {
    int skips = 0, floats = 0;
    for (uint64_t seed = 0; seed < 12; ++seed) {
        const net::Tensor images = net::random_tensor({48, 3, 8, 8}, seed);
        const auto applied = apply_plan(seed, 3, true, images, seed < 6 ? 0 : 5);
        Applied& a = *applied;
        const auto engine = load_engine();
        const auto original = engine->open(a.graph, {});
        const auto small = engine->open(a.quantized.graph, {});
        const net::Uses uses(a.graph);
        for (const apply::Stage& stage : a.quantized.stages) {
            if (stage.layer < 0) continue;
            // The other operand of the addition, before and after.
            std::vector<net::ValueId> skip;
            const auto& readers = uses.readers(stage.original);
            if (readers.size() == 1 && a.graph.nodes[static_cast<size_t>(readers[0])].op == "Add") {
                const net::Node& add = a.graph.nodes[static_cast<size_t>(readers[0])];
                const size_t other = add.inputs[0] == stage.original ? 1 : 0;
                const auto here =
                    static_cast<size_t>(a.quantized.node_of[static_cast<size_t>(readers[0])]);
                skip = {add.inputs[other], a.quantized.graph.nodes[here].inputs[other]};
                ++skips;
            }
            const auto k = static_cast<size_t>(stage.layer);
            const std::vector<net::Feed> feeds = {{a.graph.inputs[0], &images}};
            const std::vector<net::Feed> small_feeds = {{a.quantized.graph.inputs[0], &images}};
            const net::Tensor before = original->run(feeds, std::vector{stage.original})[0];
            const net::Tensor after = small->run(small_feeds, std::vector{stage.real})[0];
            std::vector<int64_t> kept(static_cast<size_t>(a.network.layers[k].filters));
            std::iota(kept.begin(), kept.end(), 0);
            const net::Layer& layer = a.network.layers[k];
            if (const auto* labels =
                    a.network.coupling.labels_of(layer.weight, layer.filter_axis)) {
                kept = apply::kept_indices(*labels, plan::cut_flags(a.network, a.plan));
            }
            // Biases are float where activations are.
            const net::ValueId scales = a.quantized.layers[k].weight.bias_scales;
            const bool is_float = scales == net::kNoValue;
            floats += is_float;
            const auto unit = [&](size_t channel) {
                return is_float ? 0.0
                                : static_cast<double>(
                                      a.quantized.graph.constant(scales)->as<float>()[channel]);
            };
            const auto mean = [&](const net::Tensor& t, int64_t channel) {
                const int64_t positions = t.size() / t.shape[0] / t.shape[1];
                double sum = 0;
                for (int64_t n = 0; n < t.shape[0]; ++n) {
                    const float* x = t.as<float>().data() + (n * t.shape[1] + channel) * positions;
                    for (int64_t p = 0; p < positions; ++p) sum += static_cast<double>(x[p]);
                }
                return sum / static_cast<double>(t.shape[0] * positions);
            };
            net::Tensor skip_before, skip_after;
            if (!skip.empty()) {
                skip_before = original->run(feeds, std::vector{skip[0]})[0];
                skip_after = small->run(small_feeds, std::vector{skip[1]})[0];
            }
            for (size_t c = 0; c < kept.size(); ++c) {
                const auto channel = static_cast<int64_t>(c);
                const double lost =
                    skip.empty() ? 0 : mean(skip_before, kept[c]) - mean(skip_after, channel);
                EXPECT_NEAR(mean(after, channel), mean(before, kept[c]) + lost,
                            0.51 * unit(c) + 1e-5)
                    << "seed " << seed << ", " << a.network.layers[k].name << ", channel " << c;
            }
        }
    }
    EXPECT_EQ(skips, 24);
    EXPECT_GT(floats, 5);
}

TEST(Apply, WhatIsReadBackComputesTheSame) {
    for (uint64_t seed = 0; seed < 6; ++seed) {
        const net::Tensor images = net::random_tensor({16, 3, 8, 8}, seed);
        for (int bits = 2; bits <= 8; bits += 2) {
            const auto applied = apply_plan(seed, bits, true, images, bits == 4 ? 5 : 0);
            Applied& a = *applied;
            const net::Tensor expected = outputs_of(a.quantized.graph, images);
            std::vector<onnx::WeightCodes> weights;
            for (const auto& layer : a.quantized.layers) weights.push_back(layer.weight);
            onnx::encode_weights(a.quantized.graph, weights, onnx::Storage::kPlanes,
                                 a.quantized.prefix);
            net::Graph read = onnx::parse_model(onnx::serialize_model(a.quantized.graph), "test");
            net::simplify(read);
            EXPECT_EQ(outputs_of(read, images), expected) << "seed " << seed << ", " << bits;
        }
    }
}

TEST(Apply, RefusesActivationsThatAreNotFinite) {
    net::Tensor images = net::random_tensor({8, 3, 8, 8}, 1);
    for (float& x : images.as<float>()) x *= 3e38f;
    EXPECT_THROW(apply_plan(1, 8, false, images), InputError);
}

TEST(Apply, StopsWhenAsked) {
    const net::Graph graph = net::residual_network(1);
    const plan::Network network(graph);
    const plan::Plan plan = plan::uniform_plan(network, 4);
    const net::Tensor images = net::random_tensor({8, 3, 8, 8}, 1);
    apply::Quantized quantized =
        apply::quantize(graph, network.layers, {plan.bits}, onnx::Storage::kPlanes);
    StopSource source;
    source.request();
    EXPECT_THROW(apply::calibrate(quantized, {graph, graph, network, plan, images}, *load_engine(),
                                  {}, source.token()),
                 Interrupted);
}

}  // namespace
}  // namespace adiabat::pipeline
