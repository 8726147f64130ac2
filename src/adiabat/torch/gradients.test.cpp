// SPDX-License-Identifier: Apache-2.0
//
// Gradients against central differences.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::torch {
namespace {

using net::GraphBuilder;
using net::random_tensor;

using net::Feed;
using net::Tensor;
using net::ValueId;
using Ints = std::vector<int64_t>;

double weighted_sum(const Tensor& y, const Tensor& seed) {
    const auto a = y.as<float>(), b = seed.as<float>();
    double sum = 0;
    for (size_t k = 0; k < a.size(); ++k) sum += double{a[k]} * double{b[k]};
    return sum;
}

// Compares the gradient at `wanted`, a feed or a constant, with differences of the weighted sum of
// `y`.
void expect_gradient(const net::Graph& graph, ValueId x, const Tensor& data, ValueId y,
                     ValueId wanted, float step = 1e-2f, double tolerance = 2e-2) {
    const auto session = pipeline::load_engine()->open(graph, {.threads = 2});
    Feed feed{x, &data};
    const Tensor value = session->run({&feed, 1}, {&y, 1})[0];
    const Tensor seed = random_tensor(value.shape, 99);
    const auto found = session->gradients({&feed, 1}, {&y, 1}, {&seed, 1}, {&wanted, 1});
    EXPECT_EQ(found.fetched[0].shape, value.shape);
    const bool fed = wanted == x;
    Tensor moved = fed ? data : *graph.constant(wanted);
    ASSERT_EQ(found.gradients[0].shape, moved.shape);
    const auto sum = [&] {
        if (!fed) session->set_constant(wanted, moved);
        const Feed other{x, fed ? &moved : &data};
        return weighted_sum(session->run({&other, 1}, {&y, 1})[0], seed);
    };
    const auto gradient = found.gradients[0].as<float>();
    for (size_t k = 0; k < gradient.size(); k += 1 + gradient.size() / 12) {
        const float old = moved.as<float>()[k];
        moved.as<float>()[k] = old + step;
        const double up = sum();
        moved.as<float>()[k] = old - step;
        const double down = sum();
        moved.as<float>()[k] = old;
        const double expected = (up - down) / (2 * double{step});
        EXPECT_NEAR(double{gradient[k]}, expected, tolerance * (1 + std::abs(expected)))
            << "element " << k;
    }
}

TEST(Gradients, AgreeWithDifferencesForEveryKindOfOperator) {
    using Maker = std::function<ValueId(GraphBuilder&, ValueId)>;
    const std::map<std::string, net::Attribute> window{{"kernel_shape", Ints{2, 2}},
                                                       {"strides", Ints{2, 2}}};
    const std::vector<std::pair<const char*, Maker>> makers = {
        {"Sigmoid", [](auto& b, auto x) { return b.node("Sigmoid", {x}); }},
        {"Tanh", [](auto& b, auto x) { return b.node("Tanh", {x}); }},
        {"LeakyRelu", [](auto& b, auto x) { return b.node("LeakyRelu", {x}); }},
        {"HardSwish", [](auto& b, auto x) { return b.node("HardSwish", {x}); }},
        {"Selu", [](auto& b, auto x) { return b.node("Selu", {x}); }},
        {"Celu", [](auto& b, auto x) { return b.node("Celu", {x}); }},
        {"Mish", [](auto& b, auto x) { return b.node("Mish", {x}); }},
        {"Swish", [](auto& b, auto x) { return b.node("Swish", {x}); }},
        {"Softsign", [](auto& b, auto x) { return b.node("Softsign", {x}); }},
        {"LRN",
         [](auto& b, auto x) {
             return b.node("LRN", {x}, {{"size", int64_t{3}}, {"alpha", 0.5f}});
         }},
        {"LayerNormalization",
         [](auto& b, auto x) {
             return b.node("LayerNormalization", {x, b.scalar(2.0f)}, {{"axis", int64_t{1}}});
         }},
        {"ReduceLogSumExp",
         [](auto& b, auto x) {
             return b.node("ReduceLogSumExp", {x}, {{"axes", Ints{2, 3}}});
         }},
        {"Softmax",
         [](auto& b, auto x) {
             return b.node("Softmax", {x}, {{"axis", int64_t{1}}});
         }},
        {"Square",
         [](auto& b, auto x) {
             return b.node("Mul", {x, x});
         }},
        {"AveragePool", [&](auto& b, auto x) { return b.node("AveragePool", {x}, window); }},
        {"GlobalAveragePool", [](auto& b, auto x) { return b.node("GlobalAveragePool", {x}); }},
        {"Pad",
         [](auto& b, auto x) {
             return b.node("Pad", {x, b.ints({0, 1, 0, 1, 0, 1, 0, 1})});
         }},
        {"Slice",
         [](auto& b, auto x) {
             return b.node("Slice", {x, b.ints({-1}), b.ints({-9}), b.ints({3}), b.ints({-2})});
         }},
    };
    for (const auto& [name, make] : makers) {
        SCOPED_TRACE(name);
        GraphBuilder b;
        const auto x = b.input({-1, 4, 4, 4});
        const auto y = make(b, x);
        expect_gradient(b.graph, x, random_tensor({3, 4, 4, 4}, 5), y, x);
    }
}

TEST(Gradients, OfConvolutionAndGemmReachInputsWeightsAndBiases) {
    GraphBuilder b;
    const auto x = b.input({-1, 4, 6, 5});
    const auto w = b.constant(random_tensor({6, 2, 3, 3}, 1)),
               bias = b.constant(random_tensor({6}, 2));
    const auto h =
        b.node("Conv", {x, w, bias}, {{"group", int64_t{2}}, {"pads", Ints{1, 1, 0, 1}}});
    const auto scale = b.constant(random_tensor({6}, 3, 0.5f, 1.5f)),
               shift = b.constant(random_tensor({6}, 4));
    const auto mean = b.constant(random_tensor({6}, 5)),
               variance = b.constant(random_tensor({6}, 6, 0.5f, 2));
    const auto n = b.node("BatchNormalization", {h, scale, shift, mean, variance});
    const auto f = b.node("Flatten", {b.node("Tanh", {n})});
    const auto v = b.constant(random_tensor({6 * 5 * 5, 3}, 7));
    const auto y = b.node("Gemm", {f, v, b.constant(random_tensor({3}, 8))});
    // 40 images: several slices, whose gradients add up.
    const Tensor data = random_tensor({40, 4, 6, 5}, 9);
    for (ValueId wanted : {x, w, bias, scale, v}) {
        SCOPED_TRACE(wanted);
        expect_gradient(b.graph, x, data, y, wanted, 1e-2f, 3e-2);
    }
}

// Matrices large enough for oneDNN, broadcast over the batch and not, against those that are not.
TEST(Gradients, OfProductsOfBatchesOfMatrices) {
    for (const int64_t inner : {8, 80}) {
        SCOPED_TRACE(inner);
        GraphBuilder b;
        const auto x = b.input({-1, 2, 40, inner});
        const auto w = b.constant(random_tensor({2, inner, 50}, 1));
        const auto p = b.node("MatMul", {x, w});
        const auto t = b.node("Transpose", {p}, {{"perm", Ints{0, 1, 3, 2}}});
        const auto y = b.node("MatMul", {t, b.node("Tanh", {p})});
        net::infer_shapes(b.graph);
        const Tensor data = random_tensor({9, 2, 40, inner}, 2, -0.3f, 0.3f);
        expect_gradient(b.graph, x, data, y, x, 1e-2f, 3e-2);
        expect_gradient(b.graph, x, data, y, w, 1e-2f, 3e-2);
        const auto found = pipeline::load_engine()->open(b.graph, {});
        const Feed feed{x, &data};
        const Tensor value = found->run({&feed, 1}, {&p, 1})[0];
        const auto *in = data.as<float>().data(), *weight = b.graph.constant(w)->as<float>().data();
        for (int64_t k = 0; k < value.size(); k += 97) {
            const int64_t column = k % 50, row = k / 50, matrix = row / 40 % 2;
            double sum = 0;
            for (int64_t i = 0; i < inner; ++i) {
                sum += double{in[row * inner + i]} *
                       double{weight[(matrix * inner + i) * 50 + column]};
            }
            EXPECT_NEAR(double{value.as<float>()[static_cast<size_t>(k)]}, sum, 1e-4);
        }
    }
}

TEST(Gradients, AtSeveralActivationsOfOneChain) {
    GraphBuilder b;
    const auto x = b.input({-1, 3});
    const auto p = b.node("Mul", {x, b.scalar(2.0f)}), q = b.node("Mul", {p, b.scalar(5.0f)});
    const auto unrelated = b.node("Neg", {x});
    const Tensor data = random_tensor({20, 3}, 1), seed = random_tensor({20, 3}, 2);
    const Feed feed{x, &data};
    const ValueId wanted[] = {q, p, x, unrelated};
    const auto found = pipeline::load_engine()
                           ->open(b.graph, {})
                           ->gradients({&feed, 1}, {&q, 1}, {&seed, 1}, wanted);
    const double factors[] = {1, 5, 10, 0};
    for (size_t w = 0; w < 4; ++w) {
        for (size_t k = 0; k < 60; ++k) {
            EXPECT_NEAR(double{found.gradients[w].as<float>()[k]},
                        factors[w] * double{seed.as<float>()[k]}, 1e-5);
        }
    }
}

// A residual block and a head: the outputs of all layers depend on one another, along a chain and
// around it.
struct Residual {
    GraphBuilder b;
    ValueId x, first, skip, sum, wide, head;
    std::vector<ValueId> layers;

    explicit Residual(const std::string& activation) {
        x = b.input({-1, 3, 6, 6});
        first = conv(x, {4, 3, 3, 3});
        skip = b.node(activation, {first});
        const auto inner = conv(skip, {5, 4, 3, 3});
        const auto outer = conv(b.node(activation, {inner}), {4, 5, 1, 1});
        sum = b.node("Add", {outer, skip});
        wide = conv(b.node(activation, {sum}), {7, 4, 1, 1});
        const auto flat = b.node("Flatten", {b.node("GlobalAveragePool", {wide})});
        head = b.node("Gemm", {flat, b.constant(random_tensor({7, 4}, 5)),
                               b.constant(random_tensor({4}, 6))});
        net::infer_shapes(b.graph);  // or the batch cannot be cut into slices
        layers = {head, first, inner, outer, wide, sum};
    }
    ValueId conv(ValueId in, const net::Shape& weight) {
        const int64_t pad = weight[2] / 2;
        const auto w = b.constant(random_tensor(weight, static_cast<uint64_t>(weight[0])));
        return b.node("Conv", {in, w}, {{"pads", Ints{pad, pad, pad, pad}}});
    }
    // Of two outputs, one of which depends on the other.
    std::vector<ValueId> outputs() const { return {head, sum}; }
    static std::vector<std::vector<Tensor>> seeds(int64_t images) {
        std::vector<std::vector<Tensor>> sets;
        for (uint64_t j = 0; j < 3; ++j) {
            sets.push_back({random_tensor({images, 4}, 30 + j),
                            random_tensor({images, 4, 6, 6}, 40 + j, -0.1f, 0.1f)});
        }
        return sets;
    }
};

Tensor moved(const Tensor& t, const Tensor& direction, float step) {
    Tensor out = t;
    for (size_t k = 0; k < out.as<float>().size(); ++k) {
        out.as<float>()[k] += step * direction.as<float>()[k];
    }
    return out;
}

// A run fed with a layer's output, and with the images for what goes around the layer, is the
// network as a function of that output: its differences are the total derivative.
TEST(Gradients, OfManySeedsAgreeWithDifferencesAtAllLayers) {
    const Residual n("Tanh");
    const auto session = pipeline::load_engine()->open(n.b.graph, {.threads = 2});
    const Tensor data = random_tensor({20, 3, 6, 6}, 1);
    const Feed images{n.x, &data};
    const auto outputs = n.outputs();
    const auto seeds = Residual::seeds(20);
    const auto found = session->gradients_of_many({&images, 1}, outputs, seeds, n.layers, n.layers);
    ASSERT_EQ(found.gradients.size(), seeds.size());
    for (size_t l = 0; l < n.layers.size(); ++l) {
        const Tensor& value = found.fetched[l];
        const Tensor direction = random_tensor(value.shape, 70 + l);
        std::vector<Tensor> ends[2];
        for (const float step : {-1e-2f, 1e-2f}) {
            const Tensor other = moved(value, direction, step);
            const Feed feeds[] = {images, {n.layers[l], &other}};
            ends[step > 0] = session->run(feeds, outputs);
        }
        for (size_t j = 0; j < seeds.size(); ++j) {
            const Tensor& gradient = found.gradients[j][l];
            ASSERT_EQ(gradient.shape, value.shape);
            double difference = 0;
            for (size_t o = 0; o < outputs.size(); ++o) {
                difference +=
                    weighted_sum(ends[1][o], seeds[j][o]) - weighted_sum(ends[0][o], seeds[j][o]);
            }
            const double norm = std::sqrt(weighted_sum(gradient, gradient));
            EXPECT_GT(norm, 0.1);
            EXPECT_NEAR(weighted_sum(gradient, direction), difference / 2e-2, 2e-3 * norm)
                << "layer " << l << ", seeds " << j;
        }
    }
}

TEST(Gradients, OfManySeedsAreThoseOfEachForAnyNumberOfThreads) {
    const Residual n("Relu");
    const Tensor data = random_tensor({50, 3, 6, 6}, 1);
    const Feed images{n.x, &data};
    const auto outputs = n.outputs();
    const auto seeds = Residual::seeds(50);
    // A feed and constants, whose gradients are sums over several slices, and what is not reached.
    auto wanted = n.layers;
    const auto& convolution = n.b.graph.nodes.front();
    wanted.insert(wanted.end(), {n.x, convolution.inputs[1], n.skip});
    const ValueId fetches[] = {n.skip, convolution.inputs[1], n.x, n.head};
    const auto one = pipeline::load_engine()->open(n.b.graph, {.threads = 1});
    const auto two = pipeline::load_engine()->open(n.b.graph, {.threads = 2});
    const auto found = two->gradients_of_many({&images, 1}, outputs, seeds, wanted, fetches);
    EXPECT_EQ(found.fetched, one->run({&images, 1}, fetches));
    ASSERT_EQ(found.gradients.size(), seeds.size());
    for (size_t j = 0; j < seeds.size(); ++j) {
        const auto single = one->gradients({&images, 1}, outputs, seeds[j], wanted);
        for (size_t k = 0; k < wanted.size(); ++k) {
            EXPECT_EQ(found.gradients[j][k], single.gradients[k])
                << "seeds " << j << ", value " << k;
        }
        EXPECT_EQ(single.fetched, one->run({&images, 1}, outputs));
    }
    EXPECT_NE(found.gradients[0], found.gradients[1]);
    const auto none = two->gradients_of_many({&images, 1}, outputs, {}, wanted, fetches);
    EXPECT_EQ(none.fetched, found.fetched);
    EXPECT_TRUE(none.gradients.empty());
    // What is reused is overwritten where it fits and replaced where it does not.
    auto other = two->gradients_of_many({&images, 1}, outputs, {&seeds[1], 2}, wanted, fetches);
    const auto* memory = other.gradients[0][0].bytes.data();
    other.gradients[1][1] = Tensor(net::DType::kFloat, {3});
    other.fetched.pop_back();
    const auto again =
        two->gradients_of_many({&images, 1}, outputs, seeds, wanted, fetches, std::move(other));
    EXPECT_EQ(again.gradients, found.gradients);
    EXPECT_EQ(again.fetched, found.fetched);
    EXPECT_EQ(again.gradients[0][0].bytes.data(), memory);
}

TEST(Gradients, PassStraightThroughRoundingAndStopWhereCodesSaturate) {
    GraphBuilder b;
    const auto x = b.input({-1, 4});
    const auto s = b.scalar(0.5f);
    const auto z = b.scalar<uint8_t>(2);
    const auto y = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}), s, z});
    const Tensor data = Tensor::of<float>({1, 4}, {-10, 0.3f, 60, 1000});
    const Tensor seed = Tensor::of<float>({1, 4}, {1, 2, 3, 4});
    const Feed feed{x, &data};
    const auto found = pipeline::load_engine()
                           ->open(b.graph, {})
                           ->gradients({&feed, 1}, {&y, 1}, {&seed, 1}, {&x, 1});
    EXPECT_EQ(found.fetched[0], Tensor::of<float>({1, 4}, {-1, 0.5f, 60, 126.5f}));
    EXPECT_EQ(found.gradients[0], Tensor::of<float>({1, 4}, {0, 2, 3, 0}));
}

// The gradient of a scale: code - x / s where it does not saturate, the bound (off the zero point)
// where it does, there a derivative.
TEST(Gradients, OfTheScaleOfCodes) {
    GraphBuilder b;
    const auto x = b.input({-1, 4});
    const auto s = b.scalar(0.5f);
    const auto z = b.scalar<uint8_t>(2);
    const auto y = b.node("DequantizeLinear", {b.node("QuantizeLinear", {x, s, z}), s, z});
    const Tensor data = Tensor::of<float>({1, 4}, {-10, 0.3f, 60.1f, 1000});
    const Feed feed{x, &data};
    const auto session = pipeline::load_engine()->open(b.graph, {});
    const std::vector<float> expected = {-2, 1 - 0.6f, 120 - 120.2f, 253};
    for (size_t k = 0; k < 4; ++k) {
        Tensor seed(net::DType::kFloat, {1, 4});
        seed.as<float>()[k] = 1;
        const auto found = session->gradients({&feed, 1}, {&y, 1}, {&seed, 1}, {&s, 1});
        EXPECT_NEAR(found.gradients[0].as<float>()[0], expected[k], 1e-4f) << k;
    }
}

// Seeds made on the way are those that are given, for any number of threads; each image comes once.
TEST(Gradients, OfALossAreThoseOfItsSeeds) {
    const Residual n("Relu");
    const Tensor data = random_tensor({50, 3, 6, 6}, 1);
    const Feed images{n.x, &data};
    const auto outputs = n.outputs();
    const std::vector<ValueId> wanted = {n.x, n.b.graph.nodes.front().inputs[1], n.skip};
    const auto one = pipeline::load_engine()->open(n.b.graph, {.threads = 1});
    const auto two = pipeline::load_engine()->open(n.b.graph, {.threads = 2});
    // Of the loss sum of y^2 / 2 times the image's number.
    const auto factor = [](int64_t image) { return 0.1f * static_cast<float>(image); };
    const auto scaled = [&](const Tensor& y, int64_t first) {
        Tensor seed = y;
        const auto row = static_cast<size_t>(y.size() / y.shape[0]);
        for (size_t k = 0; k < seed.as<float>().size(); ++k) {
            seed.as<float>()[k] *= factor(first + static_cast<int64_t>(k / row));
        }
        return seed;
    };
    const net::SeedMaker maker = [&](std::span<const Tensor> parts, int64_t first) {
        return std::vector<Tensor>{scaled(parts[0], first), scaled(parts[1], first)};
    };
    const auto values = one->run({&images, 1}, outputs);
    const std::vector<Tensor> seeds = {scaled(values[0], 0), scaled(values[1], 0)};
    const auto expected = one->gradients({&images, 1}, outputs, seeds, wanted);
    for (const auto& session : {one.get(), two.get()}) {
        const auto found = session->gradients_of_loss({&images, 1}, outputs, maker, wanted);
        EXPECT_EQ(found.fetched, expected.fetched);
        EXPECT_EQ(found.gradients, expected.gradients);
    }
}

}  // namespace
}  // namespace adiabat::torch
