// SPDX-License-Identifier: Apache-2.0
//
// Pools and transposed convolutions against naive twins; batches against their images one by one.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "adiabat/base/errors.h"
#include "adiabat/net/fold.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::torch {
namespace {

using net::Attribute;
using net::Feed;
using net::GraphBuilder;
using net::Ints;
using net::kNoValue;
using net::random_tensor;
using net::Shape;
using net::Tensor;
using net::ValueId;

Tensor run_one(const net::Graph& graph, ValueId in, const Tensor& x, ValueId out) {
    const Feed feed{in, &x};
    return pipeline::load_engine()->open(graph, {.threads = 2})->run({&feed, 1}, {&out, 1})[0];
}

void expect_near(const Tensor& a, const Tensor& b, double tolerance) {
    ASSERT_EQ(a.shape, b.shape);
    const auto x = a.to_doubles(), y = b.to_doubles();
    for (size_t k = 0; k < x.size(); ++k) ASSERT_NEAR(x[k], y[k], tolerance) << "element " << k;
}

// A square window over both dimensions of [N, C, H, W].
struct Pool {
    int64_t kernel, stride, dilation, before, behind;
    bool ceil, count_pads;
};

// Window by window, element by element.
Tensor pooled_naively(const Tensor& x, const Pool& p, const std::string& op) {
    const int64_t planes = x.shape[0] * x.shape[1], h = x.shape[2], w = x.shape[3];
    const int64_t reach = (p.kernel - 1) * p.dilation + 1;
    const auto places = [&](int64_t size) {
        std::vector<int64_t> starts;
        int64_t at = -p.before;
        for (; at + reach <= size + p.behind; at += p.stride) starts.push_back(at);
        const bool rest = at - p.stride + reach < size + p.behind;
        if (p.ceil && rest && at < size) starts.push_back(at);
        return starts;
    };
    const auto rows = places(h), columns = places(w);
    std::vector<float> out;
    for (int64_t plane = 0; plane < planes; ++plane) {
        for (int64_t top : rows) {
            for (int64_t left : columns) {
                double most = -std::numeric_limits<double>::infinity(), sum = 0, squares = 0;
                int64_t count = 0;
                for (int64_t t = 0; t < p.kernel * p.kernel; ++t) {
                    const int64_t r = top + t / p.kernel * p.dilation,
                                  c = left + t % p.kernel * p.dilation;
                    const bool on_pads = r < h + p.behind && c < w + p.behind;
                    const bool inside = r >= 0 && c >= 0 && r < h && c < w;
                    count += p.count_pads ? on_pads : inside;
                    if (!inside) continue;
                    const double v =
                        double{x.as<float>()[static_cast<size_t>((plane * h + r) * w + c)]};
                    most = std::max(most, v);
                    sum += v;
                    squares += v * v;
                }
                const double result = op == "MaxPool"       ? most
                                      : op == "AveragePool" ? sum / static_cast<double>(count)
                                                            : std::sqrt(squares);
                out.push_back(static_cast<float>(result));
            }
        }
    }
    return Tensor::of<float>({x.shape[0], x.shape[1], static_cast<int64_t>(rows.size()),
                              static_cast<int64_t>(columns.size())},
                             out);
}

TEST(Layers, PoolLikeTheirNaiveTwins) {
    const Tensor data = random_tensor({2, 3, 9, 8}, 1);
    int cases = 0;
    for (const Pool& p : {Pool{2, 2, 1, 0, 0, true, false}, Pool{3, 2, 1, 1, 1, true, true},
                          Pool{3, 2, 1, 1, 1, true, false}, Pool{3, 2, 1, 0, 1, true, true},
                          Pool{3, 3, 1, 2, 0, true, true}, Pool{3, 1, 2, 1, 1, false, true},
                          Pool{2, 3, 2, 1, 0, true, false}, Pool{4, 3, 1, 3, 3, true, true},
                          Pool{1, 2, 1, 0, 0, true, true}, Pool{2, 5, 1, 1, 1, true, true}}) {
        for (const std::string op : {"MaxPool", "AveragePool", "LpPool"}) {
            GraphBuilder b(22);
            const auto x = b.input({-1, 3, 9, 8});
            std::map<std::string, Attribute> attributes = {
                {"kernel_shape", Ints{p.kernel, p.kernel}},
                {"strides", Ints{p.stride, p.stride}},
                {"dilations", Ints{p.dilation, p.dilation}},
                {"pads", Ints{p.before, p.before, p.behind, p.behind}},
                {"ceil_mode", int64_t{p.ceil}}};
            if (op == "AveragePool") attributes["count_include_pad"] = int64_t{p.count_pads};
            const auto y = b.node(op, {x}, attributes);
            SCOPED_TRACE(fmt::format("{} {}", op, cases++));
            const Tensor expected = pooled_naively(data, p, op);
            net::infer_shapes(b.graph);
            EXPECT_EQ(Shape(b.graph.value(y).shape->begin() + 1, b.graph.value(y).shape->end()),
                      Shape(expected.shape.begin() + 1, expected.shape.end()));
            expect_near(run_one(b.graph, x, data, y), expected, 1e-5);
        }
    }
}

// Every element of the input lays the kernel down once.
Tensor transposed_naively(const Tensor& x, const Tensor& w, const Tensor& bias, int64_t groups,
                          int64_t stride, int64_t dilation, const Ints& pads, int64_t extra) {
    const int64_t n = x.shape[0], c = x.shape[1], h = x.shape[2], v = x.shape[3];
    const int64_t each = w.shape[1], k = w.shape[2], filters = each * groups;
    const auto size = [&](int64_t s, int64_t cut) {
        return (s - 1) * stride + (k - 1) * dilation + 1 + extra - cut;
    };
    Tensor y(net::DType::kFloat,
             {n, filters, size(h, pads[0] + pads[2]), size(v, pads[1] + pads[3])});
    const int64_t high = y.shape[2], wide = y.shape[3];
    auto out = y.as<float>();
    for (int64_t a = 0; a < n * filters * high * wide; ++a) {
        out[static_cast<size_t>(a)] =
            bias.as<float>()[static_cast<size_t>(a / (high * wide) % filters)];
    }
    for (int64_t a = 0; a < n * c * h * v; ++a) {
        const int64_t image = a / (v * h * c), channel = a / (v * h) % c;
        for (int64_t t = 0; t < each * k * k; ++t) {
            const int64_t row = a / v % h * stride + t / k % k * dilation - pads[0];
            const int64_t column = a % v * stride + t % k * dilation - pads[1];
            if (row < 0 || column < 0 || row >= high || column >= wide) continue;
            const int64_t filter = channel / (c / groups) * each + t / (k * k);
            out[static_cast<size_t>(((image * filters + filter) * high + row) * wide + column)] +=
                x.as<float>()[static_cast<size_t>(a)] *
                w.as<float>()[static_cast<size_t>(channel * each * k * k + t)];
        }
    }
    return y;
}

TEST(Layers, TransposedConvolutionsLayTheKernelDown) {
    struct Case {
        int64_t groups, kernel, stride, dilation;
        Ints pads;
        int64_t extra;
    };
    for (const Case& c : {Case{1, 2, 2, 1, {0, 0, 0, 0}, 0}, Case{1, 3, 2, 1, {1, 1, 1, 1}, 1},
                          Case{2, 3, 2, 1, {1, 0, 2, 1}, 0}, Case{4, 4, 2, 1, {1, 1, 1, 1}, 0},
                          Case{1, 3, 1, 2, {2, 2, 2, 2}, 0}, Case{2, 1, 3, 1, {0, 0, 0, 0}, 2}}) {
        GraphBuilder b;
        const auto x = b.input({-1, 4, 5, 6});
        const Tensor w = random_tensor({4, 3, c.kernel, c.kernel}, 1),
                     bias = random_tensor({3 * c.groups}, 2), data = random_tensor({3, 4, 5, 6}, 3);
        const auto y = b.node("ConvTranspose", {x, b.constant(w), b.constant(bias)},
                              {{"group", c.groups},
                               {"strides", Ints{c.stride, c.stride}},
                               {"dilations", Ints{c.dilation, c.dilation}},
                               {"pads", c.pads},
                               {"output_padding", Ints{c.extra, c.extra}}});
        expect_near(
            run_one(b.graph, x, data, y),
            transposed_naively(data, w, bias, c.groups, c.stride, c.dilation, c.pads, c.extra),
            1e-4);
    }
}

using Maker = std::function<ValueId(GraphBuilder&, ValueId)>;

// Over [N, 8, 6, 6].
std::vector<std::pair<const char*, Maker>> layout_makers() {
    const std::map<std::string, Attribute> cubic = {{"mode", "cubic"}, {"antialias", int64_t{1}}};
    return {
        {"ConvTranspose",
         [](auto& b, auto x) {
             return b.node("ConvTranspose", {x, b.constant(random_tensor({8, 3, 2, 2}, 1))},
                           {{"strides", Ints{2, 2}}});
         }},
        {"LpPool",
         [](auto& b, auto x) {
             return b.node("LpPool", {x}, {{"kernel_shape", Ints{2, 2}}});
         }},
        {"AveragePool",
         [](auto& b, auto x) {
             return b.node("AveragePool", {x},
                           {{"kernel_shape", Ints{3, 3}},
                            {"strides", Ints{2, 2}},
                            {"pads", Ints{0, 0, 1, 1}},
                            {"ceil_mode", int64_t{1}}});
         }},
        {"Resize nearest",
         [](auto& b, auto x) {
             return b.node("Resize", {x, kNoValue, b.floats({4}, {1, 1, 2, 1.5f})});
         }},
        {"Resize linear",
         [](auto& b, auto x) {
             return b.node("Resize", {x, kNoValue, b.floats({4}, {1, 1, 2, 1.5f})},
                           {{"mode", "linear"}});
         }},
        {"Resize cubic",
         [cubic](auto& b, auto x) {
             return b.node("Resize", {x, kNoValue, b.floats({2}, {0.3f, 2})},
                           {{"mode", "cubic"}, {"antialias", int64_t{1}}, {"axes", Ints{2, 3}}});
         }},
        {"DepthToSpace",
         [](auto& b, auto x) {
             return b.node("DepthToSpace", {x}, {{"blocksize", int64_t{2}}});
         }},
        {"SpaceToDepth",
         [](auto& b, auto x) {
             return b.node("SpaceToDepth", {x}, {{"blocksize", int64_t{2}}});
         }},
        {"Pad",
         [](auto& b, auto x) {
             return b.node("Pad", {x, b.ints({0, 1, 2, 0, 0, 2, 0, 1})}, {{"mode", "reflect"}});
         }},
        {"Tile",
         [](auto& b, auto x) {
             return b.node("Tile", {x, b.ints({1, 2, 1, 3})});
         }},
        {"Expand",
         [](auto& b, auto x) {
             return b.node("Expand", {x, b.ints({6, 6})});
         }},
        {"Gather",
         [](auto& b, auto x) {
             return b.node("Gather", {x, b.ints({3, -1})}, {{"axis", int64_t{1}}});
         }},
        {"GatherElements",
         [](auto& b, auto x) {
             const auto top = b.nodes("TopK", {x, b.ints({2})}, 2, {{"axis", int64_t{1}}});
             return b.node("GatherElements", {x, top[1]}, {{"axis", int64_t{1}}});
         }},
        {"TopK",
         [](auto& b, auto x) {
             return b.nodes("TopK", {x, b.ints({2})}, 2, {{"axis", int64_t{-1}}})[0];
         }},
        {"Trilu", [](auto& b, auto x) { return b.node("Trilu", {x}); }},
        {"GridSample",
         [](auto& b, auto x) {
             const auto grid = b.node("Slice", {x, b.ints({0}), b.ints({2}), b.ints({3})});
             return b.node("GridSample",
                           {x, b.node("Slice", {grid, b.ints({0}), b.ints({5}), b.ints({1})})});
         }},
        {"CenterCropPad",
         [](auto& b, auto x) {
             return b.node("CenterCropPad", {x, b.ints({4, 7})}, {{"axes", Ints{2, 3}}});
         }},
        {"Compress",
         [](auto& b, auto x) {
             const Tensor keep = Tensor::of<uint8_t>({3}, std::vector<uint8_t>{1, 0, 1});
             Tensor flags(net::DType::kBool, {3});
             flags.bytes = keep.bytes;
             return b.node("Compress", {x, b.constant(flags)}, {{"axis", int64_t{1}}});
         }},
    };
}

TEST(Layers, OfABatchAreThoseOfItsImages) {
    const Tensor data = random_tensor({40, 8, 6, 6}, 7);
    for (const auto& [name, make] : layout_makers()) {
        SCOPED_TRACE(name);
        GraphBuilder b(19);
        const auto x = b.input({-1, 8, 6, 6});
        const auto y = make(b, x);
        net::infer_shapes(b.graph);
        ASSERT_TRUE(b.graph.value(y).shape);
        EXPECT_EQ(b.graph.value(y).shape->front(), net::kUnknown);
        const Tensor all = run_one(b.graph, x, data, y);
        const size_t in = data.bytes.size() / 40, out = all.bytes.size() / 40;
        for (size_t image : {0u, 17u, 39u}) {
            Tensor own(net::DType::kFloat, {1, 8, 6, 6});
            std::copy_n(data.bytes.begin() + static_cast<std::ptrdiff_t>(image * in), in,
                        own.bytes.begin());
            const Tensor result = run_one(b.graph, x, own, y);
            Tensor part = result;
            std::copy_n(all.bytes.begin() + static_cast<std::ptrdiff_t>(image * out), out,
                        part.bytes.begin());
            ASSERT_EQ(result.bytes.size(), out);
            expect_near(part, result, 1e-5);
        }
        // Known beforehand, but for the batch.
        for (size_t d = 1; d < all.shape.size(); ++d) {
            const int64_t known = b.graph.value(y).shape->at(d);
            EXPECT_TRUE(known == all.shape[d] || known == net::kUnknown) << d;
        }
    }
}

TEST(Layers, HaveGradients) {
    const Tensor data = random_tensor({2, 8, 6, 6}, 8);
    for (const auto& [name, make] : layout_makers()) {
        SCOPED_TRACE(name);
        GraphBuilder b(19);
        const auto x = b.input({-1, 8, 6, 6});
        const auto y = make(b, x);
        const auto session = pipeline::load_engine()->open(b.graph, {.threads = 1});
        Tensor moved = data;
        const Feed feed{x, &moved};
        const auto value = [&] { return session->run({&feed, 1}, {&y, 1})[0]; };
        const Tensor seed = random_tensor(value().shape, 9);
        const auto gradient =
            session->gradients({&feed, 1}, {&y, 1}, {&seed, 1}, {&x, 1}).gradients[0];
        const auto weighted = [&] {
            const Tensor out = value();
            double sum = 0;
            for (size_t k = 0; k < seed.as<float>().size(); ++k) {
                sum += double{seed.as<float>()[k]} * double{out.as<float>()[k]};
            }
            return sum;
        };
        for (size_t k = 5; k < 576; k += 93) {
            const float old = moved.as<float>()[k], step = 2e-3f;
            moved.as<float>()[k] = old + step;
            const double up = weighted();
            moved.as<float>()[k] = old - step;
            const double down = weighted();
            moved.as<float>()[k] = old;
            EXPECT_NEAR(double{gradient.as<float>()[k]}, (up - down) / (2 * double{step}), 2e-2)
                << "element " << k;
        }
    }
}

// The sizes of a Resize from the shape of another value: folded to scales, so that batches are cut.
TEST(Layers, ResizeByShapesRunsOnAnyBatch) {
    GraphBuilder b(13);
    const auto x = b.input({-1, 3, 4, 4});
    const auto front = b.node("Slice", {b.node("Shape", {x}), b.ints({0}), b.ints({2})});
    const auto sizes = b.node("Concat", {front, b.ints({8, 12})}, {{"axis", int64_t{0}}});
    b.output(b.node("Resize", {x, kNoValue, kNoValue, sizes}, {{"mode", "linear"}}));
    const Tensor data = random_tensor({40, 3, 4, 4}, 1);
    const Tensor before = run_one(b.graph, x, data, b.graph.outputs[0]);
    net::infer_shapes(b.graph);
    net::fold_constants(b.graph);
    ASSERT_EQ(b.graph.nodes.size(), 1u);
    EXPECT_EQ(b.graph.nodes[0].inputs.size(), 3u);
    expect_near(run_one(b.graph, b.graph.inputs[0], data, b.graph.outputs[0]), before, 1e-6);
}

TEST(Layers, RefuseNonsenseAtRunTimeToo) {
    const Tensor data = random_tensor({1, 4, 6, 6}, 1);
    const auto refused = [&](const char* op, std::vector<Tensor> others,
                             std::map<std::string, Attribute> attributes) {
        GraphBuilder b(19);
        const auto x = b.input({-1, 4, 6, 6});
        std::vector<ValueId> inputs = {x};
        for (Tensor& other : others) {
            inputs.push_back(other.type == net::DType::kUndefined ? kNoValue
                                                                  : b.constant(std::move(other)));
        }
        const auto y = b.node(op, inputs, std::move(attributes));
        EXPECT_THROW(run_one(b.graph, x, data, y), InputError) << op;
    };
    const auto ints = [](const Ints& values) {
        return Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
    };
    constexpr int64_t kVast = int64_t{1} << 60;
    refused("Conv", {Tensor(net::DType::kFloat, {2, 4, 0, 3})}, {});
    refused("Conv", {Tensor(net::DType::kFloat, {2, 3, 3, 3})}, {});
    refused("Conv", {Tensor(net::DType::kFloat, {2, 4, 3, 3})}, {{"dilations", Ints{-1, 1}}});
    refused("ConvTranspose", {Tensor(net::DType::kFloat, {4, 2, 2, 2})},
            {{"strides", Ints{1 << 30, 1 << 30}}});
    refused("ConvTranspose", {Tensor(net::DType::kFloat, {4, 2, 2, 2})}, {{"group", int64_t{3}}});
    refused("MaxPool", {}, {{"kernel_shape", Ints{0, 1}}});
    refused("MaxPool", {}, {{"kernel_shape", Ints{9, 9}}});
    refused("AveragePool", {}, {{"kernel_shape", Ints{2, 2}}, {"pads", Ints{99, 0, 0, 0}}});
    refused("MaxUnpool", {Tensor::of<int64_t>({1, 4, 6, 6}, Ints(144, 1 << 20))},
            {{"kernel_shape", Ints{2, 2}}});
    refused("Resize", {Tensor(), Tensor::of<float>({4}, std::vector<float>{1, 1, 1e8f, 1e8f})}, {});
    refused("Resize", {Tensor(), Tensor(), ints({1, 4, kVast, 6})}, {});
    refused("Reshape", {ints({5, -1})}, {});
    refused("Expand", {ints({kVast, 1, 6, 6})}, {});
    refused("Tile", {ints({kVast, kVast, 1, 1})}, {});
    refused("Pad", {ints({0, 0, kVast, 0, 0, 0, 0, 0})}, {});
    refused("Pad", {ints({0, 0, -9, 0, 0, 0, 0, 0})}, {});
    refused("Gather", {ints({4})}, {{"axis", int64_t{1}}});
    refused("GatherND", {ints({0, 0, 0, 0, 0})}, {});
    refused("TopK", {ints({7})}, {});
    refused("DepthToSpace", {}, {{"blocksize", int64_t{3}}});
    refused("DepthToSpace", {}, {{"blocksize", int64_t{0}}});
    refused("Squeeze", {ints({1})}, {});
    refused("Unsqueeze", {ints({9})}, {});
}

}  // namespace
}  // namespace adiabat::torch
