// SPDX-License-Identifier: Apache-2.0
//
// Equalization and the table of losses, with a real engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "adiabat/apply/calibrate.h"
#include "adiabat/apply/cut.h"
#include "adiabat/apply/equalize.h"
#include "adiabat/apply/layer_noise.h"
#include "adiabat/net/architectures.test.h"
#include "adiabat/net/matmul.h"
#include "adiabat/net/residual_network.test.h"
#include "adiabat/pipeline/engine_plugin.h"
#include "adiabat/pipeline/outputs.h"
#include "adiabat/plan/fixture.test.h"

namespace adiabat::pipeline {
namespace {

net::Tensor run(const net::Graph& graph, const net::Tensor& images) {
    const auto session = load_engine()->open(graph, {});
    return session->run(std::vector<net::Feed>{{graph.inputs[0], &images}},
                        std::vector{graph.outputs[0]})[0];
}

double relative_difference(const net::Tensor& a, const net::Tensor& b) {
    EXPECT_EQ(a.shape, b.shape);
    double difference = 0, all = 0;
    for (size_t k = 0; k < a.as<float>().size(); ++k) {
        const double x = a.as<float>()[k], error = x - b.as<float>()[k];
        difference += error * error;
        all += x * x;
    }
    return std::sqrt(difference / all);
}

net::Tensor images_for(const net::Graph& graph, uint64_t seed) {
    net::Shape shape = *graph.value(graph.inputs[0]).shape;
    shape[0] = 5;
    return net::random_tensor(shape, seed);
}

// Factors over six orders of magnitude, and the network computes the same.
TEST(Equalize, NetworksComputeTheSame) {
    std::vector<std::pair<std::string, net::Graph>> networks;
    for (const auto& a : net::architectures()) networks.emplace_back(a.name, a.build());
    for (uint64_t seed = 0; seed < 10; ++seed) {
        networks.emplace_back("residual", net::residual_network(seed));
    }
    size_t links_in_all = 0, changed = 0;
    for (const auto& [name, graph] : networks) {
        const auto layers = net::find_layers(graph);
        const auto links = apply::find_links(graph, layers);
        links_in_all += links.size();
        Random random(links_in_all);
        apply::ChannelRanges ranges;
        for (const apply::Link& link : links) {
            auto& range = ranges.emplace_back(layers[link.maker].filters);
            for (float& a : range) a = static_cast<float>(std::exp(6 * random.normal()));
        }
        const net::Graph other = apply::equalized(graph, layers, links, ranges);
        const net::Tensor images = images_for(graph, 3);
        EXPECT_LT(relative_difference(run(graph, images), run(other, images)), 1e-5) << name;
        for (const apply::Link& link : links) {
            const auto before = graph.constant(layers[link.maker].weight)->as<float>(),
                       after = other.constant(layers[link.maker].weight)->as<float>();
            changed += !std::equal(before.begin(), before.end(), after.begin());
        }
    }
    EXPECT_GT(links_in_all, 40u);
    EXPECT_GT(changed, links_in_all * 9 / 10);
}

TEST(Equalize, LinksAreWhereLayersAloneRead) {
    const auto links_of = [](const net::Graph& graph) {
        const auto layers = net::find_layers(graph);
        std::vector<std::pair<std::string, size_t>> found;
        for (const apply::Link& link : apply::find_links(graph, layers)) {
            found.emplace_back(layers[link.maker].name, link.readers.size());
        }
        return found;
    };
    // Within the two blocks; streams go through additions.
    EXPECT_EQ(links_of(net::residual_network(1)).size(), 2u);
    EXPECT_EQ(links_of(net::grouped(8, 8, 8)).size(), 3u);
    EXPECT_EQ(links_of(net::flatten_to_gemm()).size(), 1u);  // a MatMul is no layer
    EXPECT_TRUE(links_of(net::attention()).empty());

    net::NetworkBuilder b;
    const net::ValueId x = b.conv(b.image(), 3, 4);
    const net::ValueId y = b.node("Clip", {x, b.scalar<float>(0), b.scalar<float>(6)});
    EXPECT_EQ(links_of(b.classify(b.conv(y, 4, 6), 6)).size(), 1u);  // behind the Clip

    net::NetworkBuilder two;
    const net::ValueId z = two.relu(two.conv(two.image(), 3, 4));
    const net::ValueId sum = two.node("Add", {two.conv(z, 4, 6), two.conv(z, 4, 6, 3)});
    const auto found = links_of(two.classify(sum, 6));
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].second, 2u);
}

// What depthwise filters read has one range in all channels; elsewhere the product of range and
// share of a weight is less spread than the ranges were.
TEST(Equalize, RangesBecomeAlike) {
    const net::Graph graph = net::grouped(8, 8, 8);
    const auto layers = net::find_layers(graph);
    const auto links = apply::find_links(graph, layers);
    const net::Tensor images = images_for(graph, 1);
    const auto ranges_of = [&](const net::Graph& network) {
        return apply::measure_channels(network, layers, links, *load_engine()->open(network, {}),
                                       images);
    };
    const auto before = ranges_of(graph);
    const auto after = ranges_of(apply::equalized(graph, layers, links, before));
    const auto spread = [](const std::vector<float>& ranges) {
        float least = INFINITY, most = 0;
        for (float a : ranges) {
            if (a > 0) least = std::min(least, a);
            most = std::max(most, a);
        }
        return most / least;
    };
    EXPECT_GT(spread(before[0]), 1.2f);
    EXPECT_NEAR(spread(after[0]), 1, 1e-4);
    for (size_t n = 0; n < links.size(); ++n) {
        EXPECT_NEAR(*std::max_element(after[n].begin(), after[n].end()) /
                        *std::max_element(before[n].begin(), before[n].end()),
                    1, 1e-4);
    }
}

TEST(Matmul, GemmsComputeTheSame) {
    for (const net::Graph& graph : {net::flatten_to_gemm(), net::channels_last()}) {
        net::Graph other = graph;
        ASSERT_EQ(net::matmuls_to_gemms(other), 1);
        net::remove_dead(other);
        net::infer_shapes(other);
        const net::Tensor images = images_for(graph, 7);
        EXPECT_LT(relative_difference(run(graph, images), run(other, images)), 1e-6);
    }
}

struct Quantizing {
    explicit Quantizing(const net::Graph& original, const net::Tensor& images, int bits = 8)
        : graph(original), network(graph), plan(plan::uniform_plan(network, bits)) {
        cut = apply::cut_groups(graph, network.coupling, plan::cut_flags(network, plan));
        quantized = apply::quantize(cut, net::find_layers(cut), apply::widths_of(network, plan),
                                    onnx::Storage::kPlanes);
        apply::calibrate(quantized, {graph, cut, network, plan, images}, *load_engine(), {});
    }
    net::Graph graph, cut;
    plan::Network network;
    plan::Plan plan;
    apply::Quantized quantized;
};

TEST(Equalize, BadlyScaledChannelsLoseLess) {
    for (uint64_t seed = 0; seed < 4; ++seed) {
        net::Graph graph = net::grouped(8, 8, 8);
        const auto layers = net::find_layers(graph);
        const auto links = apply::find_links(graph, layers);
        // Some channels a thousand times as large as others, though the network is the same.
        apply::ChannelRanges spoiled;
        Random random(seed);
        for (const apply::Link& link : links) {
            auto& range = spoiled.emplace_back(layers[link.maker].filters);
            for (float& a : range) a = static_cast<float>(std::exp(2.5 * random.normal()));
        }
        graph = apply::equalized(graph, layers, links, spoiled);
        const net::Tensor images = net::random_tensor({64, 3, 8, 8}, seed),
                          others = net::random_tensor({64, 3, 8, 8}, seed + 100);
        const auto ranges =
            apply::measure_channels(graph, layers, links, *load_engine()->open(graph, {}), images);
        const net::Graph better = apply::equalized(graph, layers, links, ranges);
        const net::Tensor expected = run(graph, others);
        const double without =
            relative_difference(expected, run(Quantizing(graph, images).quantized.graph, others));
        const double with =
            relative_difference(expected, run(Quantizing(better, images).quantized.graph, others));
        EXPECT_LT(with, 0.6 * without) << "seed " << seed;
    }
}

// Against everything before a stage fed at once, one stage after the other, and sums over channels
// that were picked by hand.
TEST(LayerNoise, IsThatOfEachStageTakenByItself) {
    size_t coded = 0, in_float = 0, cut_channels = 0;
    for (uint64_t seed = 0; seed < 8; ++seed) {
        const net::Graph graph = net::residual_network(seed);
        const plan::Network network(graph, plan::with_activations());
        Random random(seed, 5);
        plan::Plan plan = plan::random_plan(network, random);
        const auto flags = plan::cut_flags(network, plan);
        const net::Graph cut = apply::cut_groups(graph, network.coupling, flags,
                                                 plan::gone_branches(network, plan.bits));
        apply::Quantized q = apply::quantize(
            cut, net::find_layers(cut), apply::widths_of(network, plan), onnx::Storage::kPlanes);
        const net::Tensor images = net::random_tensor({24, 3, 8, 8}, seed);
        const auto engine = load_engine();
        apply::calibrate(q, {graph, cut, network, plan, images}, *engine, {});

        apply::NoiseMeter meter({graph, network, plan, onnx::Storage::kPlanes, q.graph}, *engine,
                                {});
        const net::Tensor first = net::rows_of(images, 0, 10), rest = net::rows_of(images, 10, 14);
        meter.add(first);
        meter.add(rest);

        const auto original = engine->open(graph, {}), small = engine->open(q.graph, {});
        const std::vector<net::Feed> whole = {{graph.inputs[0], &images}},
                                     fed = {{q.graph.inputs[0], &images}};
        std::map<net::ValueId, net::Tensor> exact;
        size_t row = 0;
        for (const apply::Stage& stage : q.stages) {
            net::Tensor x = original->run(whole, std::vector{stage.activated})[0];
            if (const auto* labels = network.coupling.labels_of(stage.activated, 1)) {
                const auto kept = apply::kept_indices(*labels, flags);
                cut_channels += kept.size() < labels->groups.size();
                x = apply::take(x, 1, kept);
            }
            const bool is_coded = stage.codes != net::kNoValue;
            const net::ValueId id = is_coded ? stage.codes : stage.real;
            const net::Tensor y = small->run(fed, std::vector{id})[0];
            std::vector<net::Feed> before = fed;
            for (const auto& [value, tensor] : exact) before.push_back({value, &tensor});
            const net::Tensor alone = small->run(before, std::vector{id})[0];
            x.shape = y.shape;
            const float scale = is_coded ? q.graph.constant(stage.scale)->as<float>()[0] : 1;
            const int zero = is_coded ? q.graph.constant(stage.zero_point)->as<uint8_t>()[0] : 0;
            const auto real = [&](const net::Tensor& t, size_t k) {
                return is_coded ? static_cast<double>(scale) * (t.bytes[k] - zero)
                                : static_cast<double>(t.as<float>()[k]);
            };
            double signal = 0, noise = 0, noise_alone = 0;
            int64_t saturated = 0;
            for (size_t k = 0; k < x.as<float>().size(); ++k) {
                const double value = x.as<float>()[k];
                signal += value * value;
                noise += std::pow(value - real(y, k), 2);
                noise_alone += std::pow(value - real(alone, k), 2);
                if (is_coded) {
                    // Half a step beyond an end of the range, and the code says so.
                    const double low = scale * (-0.5 - zero), high = scale * (255.5 - zero);
                    saturated +=
                        (y.bytes[k] == 0 && value < low) || (y.bytes[k] == 255 && value > high);
                }
            }
            net::Tensor held = x;
            if (is_coded) {
                held = net::Tensor(net::DType::kUint8, x.shape);
                for (size_t k = 0; k < x.as<float>().size(); ++k) {
                    held.bytes[k] = static_cast<uint8_t>(std::clamp(
                        std::nearbyint(x.as<float>()[k] / scale) + static_cast<float>(zero), 0.0f,
                        255.0f));
                }
            }
            exact.insert_or_assign(id, std::move(held));
            if (stage.real == net::kNoValue) continue;
            ASSERT_LT(row, meter.stages().size());
            const apply::StageNoise& found = meter.stages()[row++];
            EXPECT_EQ(found.value, stage.activated);
            EXPECT_NEAR(found.signal, signal, 1e-6 * signal);
            EXPECT_NEAR(found.noise, noise, 1e-6 * noise) << "seed " << seed;
            EXPECT_NEAR(found.alone, noise_alone, 1e-6 * noise_alone) << "seed " << seed;
            EXPECT_EQ(found.is_coded, is_coded);
            EXPECT_EQ(found.saturated, saturated);
            EXPECT_EQ(found.codes, is_coded ? x.size() : 0);
            (is_coded ? coded : in_float) += 1;
        }
        EXPECT_EQ(row, meter.stages().size());
    }
    EXPECT_GT(coded, 10u);
    EXPECT_GT(in_float, 10u);
    EXPECT_GT(cut_channels, 10u);
}

TEST(LayerNoise, DecibelsAreOfPowers) {
    EXPECT_DOUBLE_EQ(*apply::StageNoise::decibels(100, 1), 20);
    EXPECT_DOUBLE_EQ(*apply::StageNoise::decibels(1, 2), -10 * std::log10(2.0));
    EXPECT_FALSE(apply::StageNoise::decibels(1, 0).has_value());
    EXPECT_FALSE(apply::StageNoise::decibels(0, 1).has_value());
}

}  // namespace
}  // namespace adiabat::pipeline
