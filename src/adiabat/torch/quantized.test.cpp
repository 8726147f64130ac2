// SPDX-License-Identifier: Apache-2.0
//
// Integer layers against a loop in int64.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::torch {
namespace {

using net::GraphBuilder;
using net::random_codes;
using net::random_tensor;

using net::Feed;
using net::Tensor;
using net::ValueId;
using Ints = std::vector<int64_t>;

struct Layer {
    int64_t groups = 1, channels = 4, filters = 4, kernel = 3, stride = 1, pad = 1, size = 8;
    int bits = 8;
    bool unsigned_weights = false, per_filter = true, rectified = false, biased = true;
    int zero_x = 0, zero_y = 0;
};

struct Built {
    GraphBuilder b;
    ValueId x, real, y;
    Tensor w, bias, scale_w;
    float scale_x = 0.013f, scale_y = 0;
};

Built build(const Layer& l, uint64_t seed) {
    Built out;
    GraphBuilder& b = out.b;
    const int half = 1 << (l.bits - 1);
    const net::Shape shape{l.filters, l.channels / l.groups, l.kernel, l.kernel};
    out.w = l.unsigned_weights ? random_codes<uint8_t>(shape, seed, 128 - half, 127 + half)
                               : random_codes<int8_t>(shape, seed, -half, half - 1);
    out.bias = random_codes<int32_t>({l.filters}, seed + 1, -5000, 5000);
    out.scale_w = random_tensor({l.per_filter ? l.filters : 1}, seed + 2, 0.001f, 0.02f);
    if (!l.per_filter) out.scale_w.shape = {};
    // The output spreads over the codes and saturates now and then.
    out.scale_y = 0.01f * 0.013f * 40.0f * static_cast<float>(half) *
                  std::sqrt(static_cast<float>(l.kernel * l.kernel * l.channels) /
                            static_cast<float>(l.groups)) /
                  60.0f;
    out.x = b.input({-1, l.channels, l.size, l.size}, net::DType::kUint8);
    const auto sx = b.scalar(out.scale_x), sw = b.constant(out.scale_w), sy = b.scalar(out.scale_y);
    const auto zx = b.scalar(static_cast<uint8_t>(l.zero_x)),
               zy = b.scalar(static_cast<uint8_t>(l.zero_y));
    const auto per = [&] { return l.per_filter ? net::Shape(1, l.filters) : net::Shape(); };
    Tensor zero(out.w.type, per());
    if (l.unsigned_weights) std::fill(zero.bytes.begin(), zero.bytes.end(), uint8_t{128});
    const std::map<std::string, net::Attribute> axis{{"axis", int64_t{0}}};
    std::vector<ValueId> in{
        b.node("DequantizeLinear", {out.x, sx, zx}),
        b.node("DequantizeLinear", {b.constant(out.w), sw, b.constant(zero)}, axis)};
    if (l.biased) {
        in.push_back(b.node("DequantizeLinear",
                            {b.constant(out.bias), b.constant(random_tensor(per(), 1))}, axis));
    }
    out.real = b.node("Conv", in,
                      {{"group", l.groups},
                       {"strides", Ints{l.stride, l.stride}},
                       {"pads", Ints{l.pad, l.pad, l.pad, l.pad}}});
    const auto last = l.rectified ? b.node("Relu", {out.real}) : out.real;
    out.y = b.node("QuantizeLinear", {last, sy, zy});
    return out;
}

Tensor naively(const Layer& l, const Built& n, const Tensor& x) {
    const int64_t images = x.shape[0], out = (l.size + 2 * l.pad - l.kernel) / l.stride + 1;
    const int64_t each = l.channels / l.groups;
    const auto weights = n.w.to_ints(), codes = x.to_ints();
    const int64_t zero_w = l.unsigned_weights ? 128 : 0;
    Tensor y(net::DType::kUint8, {images, l.filters, out, out});
    size_t at = 0;
    for (int64_t i = 0; i < images; ++i) {
        for (int64_t f = 0; f < l.filters; ++f) {
            for (int64_t p = 0; p < out * out; ++p) {
                int64_t acc = l.biased ? n.bias.as<int32_t>()[static_cast<size_t>(f)] : 0;
                for (int64_t k = 0; k < each * l.kernel * l.kernel; ++k) {
                    const int64_t c = k / (l.kernel * l.kernel) + f / (l.filters / l.groups) * each;
                    const int64_t row = p / out * l.stride - l.pad + k / l.kernel % l.kernel;
                    const int64_t column = p % out * l.stride - l.pad + k % l.kernel;
                    if (row < 0 || row >= l.size || column < 0 || column >= l.size) continue;
                    const auto place = static_cast<size_t>(
                        ((i * l.channels + c) * l.size + row) * l.size + column);
                    acc +=
                        (codes[place] - l.zero_x) *
                        (weights[static_cast<size_t>(f * each * l.kernel * l.kernel + k)] - zero_w);
                }
                const float scale =
                    n.scale_w.as<float>()[l.per_filter ? static_cast<size_t>(f) : 0];
                const float factor = n.scale_x * scale / n.scale_y;
                float code =
                    std::nearbyint(static_cast<float>(acc) * factor) + static_cast<float>(l.zero_y);
                if (l.rectified) code = std::max(code, static_cast<float>(l.zero_y));
                y.as<uint8_t>()[at++] = static_cast<uint8_t>(std::clamp(code, 0.0f, 255.0f));
            }
        }
    }
    return y;
}

void expect_exact(const Layer& l, uint64_t seed) {
    const Built n = build(l, seed);
    const Tensor x = random_codes<uint8_t>({3, l.channels, l.size, l.size}, seed + 7, 0, 255);
    const Feed feed{n.x, &x};
    const auto session = pipeline::load_engine()->open(n.b.graph, {.threads = 2});
    const Tensor y = session->run({&feed, 1}, {&n.y, 1})[0];
    ASSERT_EQ(y, naively(l, n, x)) << "seed " << seed;
    // Looking at the real output on the way changes nothing.
    const std::vector<ValueId> both{n.real, n.y};
    ASSERT_EQ(session->run({&feed, 1}, both)[1], y);
    const Tensor seed_y = random_tensor(y.shape, 1);
    const auto recorded = session->gradients({&feed, 1}, {&n.y, 1}, {&seed_y, 1}, {});
    ASSERT_EQ(recorded.fetched[0], y);
}

TEST(IntegerLayer, EqualsAnInt64LoopBitForBit) {
    Random random(2024);
    for (uint64_t seed = 0; seed < 60; ++seed) {
        Layer l;
        l.groups = 1 << random.below(3);
        l.channels = l.groups * (1 + random.below(9));
        l.filters = l.groups * (1 + random.below(9));
        l.kernel = 1 + 2 * random.below(3);
        l.stride = 1 + random.below(2);
        l.pad = random.below(2) ? l.kernel / 2 : 0;
        l.size = 5 + random.below(6);
        l.bits = 2 + static_cast<int>(random.below(7));
        l.unsigned_weights = random.below(2) != 0;
        l.per_filter = random.below(2) != 0;
        l.rectified = random.below(2) != 0;
        l.biased = random.below(3) != 0;
        l.zero_x = random.below(2) ? 128 : static_cast<int>(random.below(2) * 3);
        l.zero_y = random.below(2) ? 113 : 0;
        expect_exact(l, seed);
    }
}

// 1,200 channels of 3 x 3 taps reach beyond 2^24 and are summed in parts; one of 25 x 25 cannot be
// cut.
TEST(IntegerLayer, IsExactWhereFloatSumsAreNot) {
    Layer l;
    l.channels = 1200;
    l.size = 4;
    l.zero_x = 3;
    expect_exact(l, 1);
    l = Layer{.groups = 2, .channels = 1200, .filters = 4, .size = 4};
    expect_exact(l, 2);
    l = Layer{.channels = 1, .filters = 2, .kernel = 27, .pad = 13, .size = 27};
    Built n = build(l, 3);
    expect_exact(l, 3);
}

TEST(IntegerLayer, GivesRealNumbersWhereTheOutputIsNotQuantized) {
    GraphBuilder b;
    const auto x = b.input({-1, 3}, net::DType::kUint8);
    const auto sx = b.scalar(0.25f), sw = b.constant<float>({2}, {0.5f, 0.125f});
    const auto w = b.constant<int8_t>({2, 3}, {1, -2, 3, 4, 5, -6});
    const auto bias = b.constant<int32_t>({2}, {100, -7});
    const std::map<std::string, net::Attribute> axis{{"axis", int64_t{0}}};
    const auto y = b.node(
        "Gemm",
        {b.node("DequantizeLinear", {x, sx, b.scalar<uint8_t>(10)}),
         b.node("DequantizeLinear", {w, sw}, axis),
         b.node("DequantizeLinear", {bias, b.constant<float>({2}, {0.125f, 0.03125f})}, axis)},
        {{"transB", int64_t{1}}});
    const Tensor data = Tensor::of<uint8_t>({2, 3}, {10, 11, 12, 0, 255, 7});
    const Feed feed{x, &data};
    const auto found = pipeline::load_engine()->open(b.graph, {})->run({&feed, 1}, {&y, 1})[0];
    // Centred inputs 0 1 2 and -10 245 -3.
    EXPECT_EQ(found, Tensor::of<float>(
                         {2, 2}, {104 * 0.125f, -14 * 0.03125f, -409 * 0.125f, 1196 * 0.03125f}));
}

TEST(Quantizing, RoundsToEvenAndSaturates) {
    GraphBuilder b;
    const auto x = b.input({-1, 6});
    const auto bytes = b.node("QuantizeLinear", {x, b.scalar(1.0f), b.scalar<uint8_t>(1)});
    const auto codes = b.node("QuantizeLinear", {x, b.scalar(1.0f), b.scalar<int8_t>(0)});
    const auto axis = b.node("QuantizeLinear",
                             {x, b.constant<float>({6}, {1, 1, 2, 2, 4, 4}),
                              b.constant<int8_t>({6}, {0, 1, 0, 1, 0, 1})},
                             {{"axis", int64_t{-1}}});
    const auto real = b.node("DequantizeLinear", {bytes, b.scalar(0.5f), b.scalar<uint8_t>(1)});
    const Tensor data = Tensor::of<float>({1, 6}, {0.5f, 1.5f, 2.5f, -3, 400, -400});
    const Feed feed{x, &data};
    const std::vector<ValueId> fetches{bytes, codes, axis, real};
    const auto found = pipeline::load_engine()->open(b.graph, {})->run({&feed, 1}, fetches);
    EXPECT_EQ(found[0], Tensor::of<uint8_t>({1, 6}, {1, 3, 3, 0, 255, 0}));
    EXPECT_EQ(found[1], Tensor::of<int8_t>({1, 6}, {0, 2, 2, -3, 127, -128}));
    EXPECT_EQ(found[2], Tensor::of<int8_t>({1, 6}, {0, 3, 1, -1, 100, -99}));
    EXPECT_EQ(found[3], Tensor::of<float>({1, 6}, {0, 1, 1, -0.5f, 127, -0.5f}));
}

}  // namespace
}  // namespace adiabat::torch
