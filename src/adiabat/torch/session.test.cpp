// SPDX-License-Identifier: Apache-2.0
#include "adiabat/torch/session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::torch {
namespace {

using net::GraphBuilder;
using net::random_tensor;

using net::Feed;
using net::kNoValue;
using net::Tensor;
using net::ValueId;
using Ints = std::vector<int64_t>;

std::unique_ptr<net::Session> open(const net::Graph& graph, int threads = 2) {
    return pipeline::load_engine()->open(graph, {.threads = threads});
}

Tensor run_one(const net::Graph& graph, ValueId in, const Tensor& x, ValueId out) {
    const Feed feed{in, &x};
    return open(graph)->run({&feed, 1}, {&out, 1})[0];
}

void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
    ASSERT_EQ(a.shape, b.shape);
    const auto x = a.to_doubles(), y = b.to_doubles();
    for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(x[k], y[k], tolerance) << "element " << k;
}

// Two convolutions, a residual add, pooling and a Gemm.
struct SmallNetwork {
    GraphBuilder b;
    ValueId x, w1, h1, w2, h2, sum, pooled, logits;

    SmallNetwork() {
        x = b.input({-1, 3, 9, 7});
        w1 = b.constant(random_tensor({6, 3, 3, 3}, 1));
        const auto b1 = b.constant(random_tensor({6}, 2));
        h1 = b.node("Relu", {b.node("Conv", {x, w1, b1}, {{"pads", Ints{1, 1, 1, 1}}})});
        w2 = b.constant(random_tensor({6, 6, 3, 3}, 3));
        h2 = b.node("Conv", {h1, w2}, {{"pads", Ints{1, 1, 1, 1}}});
        sum = b.node("Relu", {b.node("Add", {h2, h1})});
        pooled = b.node("Flatten", {b.node("GlobalAveragePool", {sum})});
        const auto w3 = b.constant(random_tensor({4, 6}, 4)),
                   b3 = b.constant(random_tensor({4}, 5));
        logits = b.node("Gemm", {pooled, w3, b3}, {{"transB", int64_t{1}}});
        b.graph.outputs = {logits};
    }
};

// The naive twin of Conv: any group, stride, dilation and pad.
Tensor conv_naively(const Tensor& x, const Tensor& w, const Tensor* bias, int64_t groups,
                    int64_t stride, int64_t dilation, const Ints& pads) {
    const int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2], v = x.shape[3];
    const int64_t o = w.shape[0], i = w.shape[1], kh = w.shape[2], kw = w.shape[3];
    const int64_t oh = (h + pads[0] + pads[2] - (kh - 1) * dilation - 1) / stride + 1;
    const int64_t ow = (v + pads[1] + pads[3] - (kw - 1) * dilation - 1) / stride + 1;
    Tensor y(net::DType::kFloat, {n, o, oh, ow});
    const auto xs = x.as<float>(), ws = w.as<float>();
    auto ys = y.as<float>();
    for (int64_t a = 0; a < n * o * oh * ow; ++a) {
        const int64_t q = a % ow, p = a / ow % oh, f = a / (ow * oh) % o, image = a / (ow * oh * o);
        double sum = bias ? double{bias->as<float>()[static_cast<size_t>(f)]} : 0.0;
        for (int64_t k = 0; k < i * kh * kw; ++k) {
            const int64_t s = k % kw, r = k / kw % kh, ch = k / (kw * kh) + f / (o / groups) * i;
            const int64_t row = p * stride - pads[0] + r * dilation;
            const int64_t column = q * stride - pads[1] + s * dilation;
            if (row < 0 || row >= h || column < 0 || column >= v) continue;
            sum += double{xs[static_cast<size_t>(((image * c + ch) * h + row) * v + column)]} *
                   double{ws[static_cast<size_t>(f * i * kh * kw + k)]};
        }
        ys[static_cast<size_t>(a)] = static_cast<float>(sum);
    }
    return y;
}

TEST(Session, ConvolvesLikeItsNaiveTwin) {
    struct Case {
        int64_t groups, channels, filters, kernel, stride, dilation;
        Ints pads;
    };
    const Case cases[] = {{1, 3, 5, 3, 1, 1, {1, 1, 1, 1}}, {1, 16, 32, 3, 2, 1, {1, 1, 1, 1}},
                          {1, 8, 8, 1, 1, 1, {0, 0, 0, 0}}, {4, 8, 12, 3, 1, 1, {1, 1, 1, 1}},
                          {8, 8, 8, 5, 2, 1, {2, 2, 2, 2}}, {1, 4, 6, 3, 1, 2, {2, 2, 2, 2}},
                          {2, 4, 6, 3, 2, 1, {0, 1, 2, 1}}};
    for (const Case& c : cases) {
        GraphBuilder b;
        const auto x = b.input({-1, c.channels, 11, 10});
        const Tensor w = random_tensor({c.filters, c.channels / c.groups, c.kernel, c.kernel}, 1);
        const Tensor bias = random_tensor({c.filters}, 2);
        const auto y = b.node("Conv", {x, b.constant(w), b.constant(bias)},
                              {{"group", c.groups},
                               {"strides", Ints{c.stride, c.stride}},
                               {"dilations", Ints{c.dilation, c.dilation}},
                               {"pads", c.pads}});
        const Tensor data = random_tensor({3, c.channels, 11, 10}, 3);
        expect_near(run_one(b.graph, x, data, y),
                    conv_naively(data, w, &bias, c.groups, c.stride, c.dilation, c.pads), 1e-4);
    }
}

TEST(Session, PadsConvolutionsAutomatically) {
    GraphBuilder b;
    const auto x = b.input({-1, 2, 6, 6});
    const auto w = b.constant(random_tensor({2, 2, 3, 3}, 1));
    const Ints strides{2, 2};
    const auto upper = b.node("Conv", {x, w}, {{"auto_pad", "SAME_UPPER"}, {"strides", strides}});
    const auto pads = b.node("Conv", {x, w}, {{"pads", Ints{0, 0, 1, 1}}, {"strides", strides}});
    const auto lower = b.node("Conv", {x, w}, {{"auto_pad", "SAME_LOWER"}, {"strides", strides}});
    const auto others = b.node("Conv", {x, w}, {{"pads", Ints{1, 1, 0, 0}}, {"strides", strides}});
    const Tensor data = random_tensor({2, 2, 6, 6}, 2);
    expect_near(run_one(b.graph, x, data, upper), run_one(b.graph, x, data, pads), 1e-6);
    expect_near(run_one(b.graph, x, data, lower), run_one(b.graph, x, data, others), 1e-6);
}

TEST(Session, ConvolvesInOneAndThreeDimensions) {
    GraphBuilder b;
    const auto x = b.input({-1, 2, 8});
    const auto y = b.node("Conv", {x, b.constant<float>({1, 2, 3}, {1, 1, 1, 1, 1, 1})},
                          {{"pads", Ints{1, 1}}});
    const Tensor ones = random_tensor({1, 2, 8}, 0, 1, 1);
    EXPECT_EQ(run_one(b.graph, x, ones, y), Tensor::of<float>({1, 1, 8}, {4, 6, 6, 6, 6, 6, 6, 4}));
    GraphBuilder c;
    const auto v = c.input({-1, 1, 2, 2, 2});
    const auto z = c.node("Conv", {v, c.constant(random_tensor({1, 1, 2, 2, 2}, 0, 1, 1))});
    EXPECT_EQ(run_one(c.graph, v, random_tensor({1, 1, 2, 2, 2}, 0, 1, 1), z),
              Tensor::of<float>({1, 1, 1, 1, 1}, {8}));
}

TEST(Session, PoolsOverPadsAsTold) {
    GraphBuilder b;
    const auto x = b.input({-1, 1, 1, 4});
    const std::map<std::string, net::Attribute> window{
        {"kernel_shape", Ints{1, 2}}, {"pads", Ints{0, 1, 0, 0}}, {"strides", Ints{1, 2}}};
    auto with_pads = window, ceil = window;
    with_pads["count_include_pad"] = int64_t{1};
    ceil["ceil_mode"] = int64_t{1};
    const auto largest = b.node("MaxPool", {x}, window),
               all = b.node("AveragePool", {x}, with_pads);
    const auto inside = b.node("AveragePool", {x}, window), more = b.node("MaxPool", {x}, ceil);
    const Tensor data = Tensor::of<float>({1, 1, 1, 4}, {-1, -2, -3, -4});
    EXPECT_EQ(run_one(b.graph, x, data, largest), Tensor::of<float>({1, 1, 1, 2}, {-1, -2}));
    EXPECT_EQ(run_one(b.graph, x, data, all), Tensor::of<float>({1, 1, 1, 2}, {-0.5f, -2.5f}));
    EXPECT_EQ(run_one(b.graph, x, data, inside), Tensor::of<float>({1, 1, 1, 2}, {-1, -2.5f}));
    EXPECT_EQ(run_one(b.graph, x, data, more), Tensor::of<float>({1, 1, 1, 3}, {-1, -2, -4}));
}

TEST(Session, MovesData) {
    GraphBuilder b;
    const auto x = b.input({-1, 4});
    const Tensor data = Tensor::of<float>({2, 4}, {0, 1, 2, 3, 4, 5, 6, 7});
    const auto expect = [&](ValueId y, const net::Shape& shape, const std::vector<float>& values) {
        EXPECT_EQ(run_one(b.graph, x, data, y), Tensor::of<float>(shape, values));
    };
    expect(b.node("Slice", {x, b.ints({1}), b.ints({4}), b.ints({1}), b.ints({2})}), {2, 2},
           {1, 3, 5, 7});
    expect(b.node("Slice", {x, b.ints({-1}), b.ints({-100}), b.ints({1}), b.ints({-2})}), {2, 2},
           {3, 1, 7, 5});
    expect(b.node("Pad", {x, b.ints({0, 1, 0, 0}), b.scalar(9.0f)}), {2, 5},
           {9, 0, 1, 2, 3, 9, 4, 5, 6, 7});
    expect(b.node("Reshape", {x, b.ints({0, 2, -1})}), {2, 2, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
    expect(b.node("Reshape", {x, b.ints({4, 2})}), {4, 2}, {0, 1, 2, 3, 4, 5, 6, 7});
    expect(b.node("Transpose", {x}), {4, 2}, {0, 4, 1, 5, 2, 6, 3, 7});
    expect(b.node("Gather", {x, b.ints({3, -4})}, {{"axis", int64_t{1}}}), {2, 2}, {3, 0, 7, 4});
    expect(b.node("Concat", {x, x}, {{"axis", int64_t{-1}}}), {2, 8},
           {0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7});
    expect(b.nodes("Split", {x}, 2, {{"axis", int64_t{1}}})[1], {2, 2}, {2, 3, 6, 7});
    expect(b.node("Squeeze", {b.node("Unsqueeze", {x, b.ints({1, -1})}), b.ints({-1})}), {2, 1, 4},
           {0, 1, 2, 3, 4, 5, 6, 7});
    expect(b.node("ReduceSum", {x, b.ints({1})}, {{"keepdims", int64_t{0}}}), {2}, {6, 22});
    expect(b.node("ReduceMax", {x}, {{"axes", Ints{-1}}}), {2, 1}, {3, 7});
    expect(b.node("Clip", {x, b.scalar(1.0f), b.scalar(6.0f)}), {2, 4}, {1, 1, 2, 3, 4, 5, 6, 6});
    expect(b.node("Clip", {x, kNoValue, b.scalar(2.0f)}), {2, 4}, {0, 1, 2, 2, 2, 2, 2, 2});
}

TEST(Session, MovesCodesWithoutChangingTheirType) {
    GraphBuilder b;
    const auto x = b.input({-1, 4}, net::DType::kUint8);
    const auto y = b.node(
        "Relu", {b.node("Concat", {x, b.node("Slice", {x, b.ints({0}), b.ints({2}), b.ints({1})})},
                        {{"axis", int64_t{1}}})});
    const Tensor data = Tensor::of<uint8_t>({1, 4}, {0, 7, 255, 128});
    EXPECT_EQ(run_one(b.graph, x, data, y), Tensor::of<uint8_t>({1, 6}, {0, 7, 255, 128, 0, 7}));
}

TEST(Session, ResultsDoNotDependOnThreadsOrBatchSplit) {
    const SmallNetwork network;
    const Tensor data = random_tensor({70, 3, 9, 7}, 9);
    const Feed feed{network.x, &data};
    const std::vector<ValueId> fetches{network.h1, network.logits};
    const auto all = open(network.b.graph, 1)->run({&feed, 1}, fetches);
    EXPECT_EQ(open(network.b.graph, 3)->run({&feed, 1}, fetches), all);
    const auto session = open(network.b.graph, 2);
    for (int64_t begin = 0, rows = 1; begin < 70; begin += rows, ++rows) {
        rows = std::min(rows, 70 - begin);
        Tensor part(net::DType::kFloat, {rows, 3, 9, 7});
        const size_t bytes = part.bytes.size() / static_cast<size_t>(rows);
        std::copy_n(data.bytes.begin() + static_cast<std::ptrdiff_t>(bytes) * begin,
                    part.bytes.size(), part.bytes.begin());
        const Feed piece{network.x, &part};
        const Tensor logits = session->run({&piece, 1}, fetches)[1];
        const auto found = logits.as<float>(), whole = all[1].as<float>();
        for (size_t k = 0; k < found.size(); ++k) {
            ASSERT_EQ(found[k], whole[static_cast<size_t>(begin) * 4 + k]) << rows << " images";
        }
    }
}

TEST(Session, WorksThroughABatchThatCannotBeCut) {
    GraphBuilder b;
    const auto x = b.input({-1, 3});
    const auto mean = b.node("ReduceMean", {x}, {{"axes", Ints{0}}});
    const Tensor data = random_tensor({100, 3}, 1);
    const Tensor y = run_one(b.graph, x, data, b.node("Sub", {x, mean}));
    double sum = 0;
    for (float v : y.as<float>()) sum += double{v};
    EXPECT_NEAR(sum, 0, 1e-4);
}

TEST(Session, RunsASuffixFromACapturedValue) {
    const SmallNetwork network;
    const Tensor data = random_tensor({20, 3, 9, 7}, 9);
    const auto session = open(network.b.graph);
    const Feed feed{network.x, &data};
    const std::vector<ValueId> fetches{network.h1, network.h2, network.logits};
    const auto captured = session->run({&feed, 1}, fetches);
    const Feed middle[] = {{network.h1, &captured[0]}, {network.h2, &captured[1]}};
    EXPECT_EQ(session->run(middle, {&network.logits, 1})[0], captured[2]);
    EXPECT_EQ(session->run({middle, 1}, {&network.logits, 1})[0], captured[2]);
    EXPECT_THROW(session->run({middle + 1, 1}, {&network.logits, 1}), InputError);  // h1 is missing
}

TEST(Session, DoesNotWriteIntoWhatItIsFed) {
    GraphBuilder b;
    const auto x = b.input({-1, 4});
    const auto flat = b.node("Reshape", {x, b.ints({0, 2, 2})});
    const auto y = b.node("Relu", {b.node("Add", {b.node("Neg", {flat}), b.scalar(1.0f)})});
    const Tensor data = random_tensor({16, 4}, 3), same = random_tensor({16, 4}, 3);
    const Tensor once = run_one(b.graph, x, data, y);
    EXPECT_EQ(data, same);
    EXPECT_EQ(run_one(b.graph, x, data, y), once);
}

TEST(Session, ReplacesConstants) {
    const SmallNetwork network;
    const Tensor data = random_tensor({4, 3, 9, 7}, 9);
    const Feed feed{network.x, &data};
    const auto session = open(network.b.graph);
    const Tensor before = session->run({&feed, 1}, {&network.logits, 1})[0];
    const Tensor old = *network.b.graph.constant(network.w2);
    session->set_constant(network.w2, random_tensor({6, 6, 3, 3}, 77));
    EXPECT_NE(session->run({&feed, 1}, {&network.logits, 1})[0], before);
    session->set_constant(network.w2, old);
    EXPECT_EQ(session->run({&feed, 1}, {&network.logits, 1})[0], before);
    EXPECT_EQ(session->run({&feed, 1}, {&network.w2, 1})[0], old);
    EXPECT_THROW(session->set_constant(network.w2, random_tensor({6, 6}, 1)), InternalError);
}

TEST(Session, NamesAllUnknownOperatorsAtOnce) {
    GraphBuilder b;
    const auto x = b.input({-1, 4});
    b.graph.outputs = {b.node("Perplex", {b.node("Frobnicate", {x})})};
    try {
        open(b.graph);
        FAIL();
    } catch (const InputError& error) {
        const std::string text = error.what();
        EXPECT_NE(text.find("Frobnicate"), std::string::npos) << text;
        EXPECT_NE(text.find("Perplex"), std::string::npos) << text;
    }
}

TEST(Session, RefusesFeedsOfAnotherShapeOrType) {
    const SmallNetwork network;
    const auto session = open(network.b.graph);
    const Tensor wide = random_tensor({2, 3, 9, 8}, 1);
    const Tensor bytes(net::DType::kUint8, {2, 3, 9, 7});
    for (const Tensor* t : {&wide, &bytes}) {
        const Feed feed{network.x, t};
        EXPECT_THROW(session->run({&feed, 1}, {&network.logits, 1}), InputError);
    }
    EXPECT_THROW(session->run({}, {&network.logits, 1}), InputError);
}

}  // namespace
}  // namespace adiabat::torch
