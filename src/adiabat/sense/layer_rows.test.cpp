// SPDX-License-Identifier: Apache-2.0
//
// The weights that made a target explain it without error: rows have the order of the weights.
#include "adiabat/sense/layer_rows.h"

#include <gtest/gtest.h>

#include <numeric>

#include "adiabat/base/random.h"

namespace adiabat::sense {
namespace {

using Ints = std::vector<int64_t>;

struct Case {
    Ints image;  // C, H, W
    Ints weight;
    Ints strides, pads, dilations;
    int64_t groups = 1, images = 3;
};

net::Tensor random_tensor(const net::Shape& shape, uint64_t seed) {
    net::Tensor tensor(net::DType::kFloat, shape);
    Random random(seed, 1);
    for (float& x : tensor.as<float>()) x = random.uniform_float() - 0.4f;
    return tensor;
}

int64_t out_size(const Case& c, size_t k) {
    const int64_t reach = (c.weight[k + 2] - 1) * c.dilations[k] + 1;
    return (c.image[k + 1] + c.pads[k] + c.pads[k + 2] - reach) / c.strides[k] + 1;
}

// A convolution by its definition.
net::Tensor convolved(const Case& c, const net::Tensor& x, const net::Tensor& w) {
    const int64_t h = c.image[1], width = c.image[2], oh = out_size(c, 0), ow = out_size(c, 1);
    const int64_t inputs = c.weight[1], filters = c.weight[0] / c.groups;
    net::Tensor y(net::DType::kFloat, {c.images, c.weight[0], oh, ow});
    size_t to = 0;
    for (int64_t n = 0; n < c.images; ++n) {
        for (int64_t f = 0; f < c.weight[0]; ++f) {
            for (int64_t i = 0; i < oh * ow; ++i, ++to) {
                double sum = 0.25;
                for (int64_t t = 0; t < inputs * c.weight[2] * c.weight[3]; ++t) {
                    const int64_t channel = f / filters * inputs + t / (c.weight[2] * c.weight[3]);
                    const int64_t a = i / ow * c.strides[0] - c.pads[0] +
                                      t / c.weight[3] % c.weight[2] * c.dilations[0];
                    const int64_t b =
                        i % ow * c.strides[1] - c.pads[1] + t % c.weight[3] * c.dilations[1];
                    if (a < 0 || a >= h || b < 0 || b >= width) continue;
                    const auto at =
                        static_cast<size_t>(((n * c.image[0] + channel) * h + a) * width + b);
                    const auto tap =
                        static_cast<size_t>(f * inputs * c.weight[2] * c.weight[3] + t);
                    sum += static_cast<double>(x.as<float>()[at]) *
                           static_cast<double>(w.as<float>()[tap]);
                }
                y.as<float>()[to] = static_cast<float>(sum);
            }
        }
    }
    return y;
}

std::optional<LayerRows> rows_of(const Case& c, const net::Tensor& x) {
    net::Node node;
    node.op = "Conv";
    node.attributes = {{"strides", c.strides}, {"pads", c.pads}, {"dilations", c.dilations}};
    net::Layer layer;
    layer.filters = c.weight[0];
    layer.inputs = c.weight[1];
    layer.taps = c.weight[2] * c.weight[3];
    layer.groups = c.groups;
    return LayerRows::of(node, layer, c.weight, x);
}

void expect_explained(const Case& c) {
    const net::Tensor x = random_tensor({c.images, c.image[0], c.image[1], c.image[2]}, 1);
    const net::Tensor w = random_tensor(c.weight, 2);
    const net::Tensor y = convolved(c, x, w);
    const auto rows = rows_of(c, x);
    ASSERT_TRUE(rows);
    ASSERT_EQ(rows->groups(), c.groups);
    Ints kept(static_cast<size_t>(c.weight[0]));
    std::iota(kept.begin(), kept.end(), 0);
    const int64_t filters = c.weight[0] / c.groups;
    const int64_t width = w.size() / c.weight[0];
    for (int64_t g = 0; g < c.groups; ++g) {
        const recon::Moments moments = rows->moments(g, y, kept, 2);
        const recon::Matrix weights =
            Eigen::Map<const recon::Rows>(w.as<float>().data() + g * filters * width, filters,
                                          width)
                .cast<double>();
        EXPECT_LT(recon::squared_errors(moments, weights).maxCoeff(), 1e-5);
        EXPECT_GT(recon::squared_errors(moments, 0.9 * weights).minCoeff(), 1e-4);
        const recon::Moments again = rows->moments(g, y, kept, 1);
        EXPECT_EQ(again.inputs, moments.inputs);
    }
}

TEST(LayerRows, WeightsExplainTheirConvolution) {
    expect_explained({{3, 9, 7}, {4, 3, 3, 2}, {1, 1}, {1, 0, 1, 1}, {1, 1}});
    expect_explained({{4, 9, 8}, {6, 2, 3, 3}, {2, 1}, {2, 1, 0, 2}, {1, 2}, 2});
    expect_explained({{5, 6, 6}, {5, 1, 3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 1}, 5});
}

// Weights times the inputs unfolded, by loops, are the convolution.
void expect_unfolded(const Case& c) {
    const net::Tensor x = random_tensor({c.images, c.image[0], c.image[1], c.image[2]}, 1);
    const net::Tensor w = random_tensor(c.weight, 2), y = convolved(c, x, w);
    const auto rows = rows_of(c, x);
    ASSERT_TRUE(rows);
    const int64_t filters = c.weight[0], unknowns = w.size() / filters;
    const int64_t positions = y.shape[2] * y.shape[3];
    recon::Rows unfolded(unknowns, positions);
    for (int64_t n = 0; n < c.images; ++n) {
        unfolded.setConstant(1e9f);  // all is written
        rows->unfold(n, unfolded.data());
        const Eigen::Map<const recon::Rows> weights(w.as<float>().data(), filters, unknowns);
        const Eigen::Map<const recon::Rows> expected(y.as<float>().data() + n * filters * positions,
                                                     filters, positions);
        EXPECT_LT(((weights * unfolded).array() + 0.25f - expected.array()).abs().maxCoeff(), 1e-4);
    }
}

TEST(LayerRows, UnfoldsWhatAWindowSees) {
    expect_unfolded({{3, 9, 7}, {4, 3, 3, 2}, {1, 1}, {1, 0, 1, 1}, {1, 1}});
    expect_unfolded({{2, 9, 8}, {6, 2, 3, 3}, {2, 1}, {2, 1, 0, 2}, {1, 2}});
    expect_unfolded({{2, 8, 9}, {3, 2, 3, 3}, {2, 3}, {1, 1, 1, 1}, {1, 1}});
    expect_unfolded({{2, 5, 4}, {3, 2, 1, 1}, {2, 2}, {0, 0, 0, 0}, {1, 1}});
    expect_unfolded({{1, 4, 3}, {2, 1, 3, 3}, {1, 2}, {3, 4, 3, 4}, {1, 1}});
}

TEST(LayerRows, PartOfThePositionsExplainsItToo) {
    expect_explained({{2, 64, 64}, {3, 2, 1, 3}, {1, 1}, {0, 1, 0, 1}, {1, 1}, 1, 4});
}

TEST(LayerRows, GemmsHaveOnePositionAnImage) {
    const net::Tensor x = random_tensor({50, 6}, 3);
    net::Node node;
    node.op = "Gemm";
    net::Layer layer;
    layer.filters = 2;
    layer.inputs = 6;
    const auto rows = LayerRows::of(node, layer, {2, 6}, x);
    ASSERT_TRUE(rows);
    net::Tensor target(net::DType::kFloat, {50, 3});
    for (size_t n = 0; n < 50; ++n) target.as<float>()[3 * n + 2] = 2 * x.as<float>()[6 * n + 4];
    const recon::Moments moments = rows->moments(0, target, Ints{0, 2}, 1);
    recon::Matrix weights = recon::Matrix::Zero(2, 6);
    weights(1, 4) = 2;
    EXPECT_LT(recon::squared_errors(moments, weights).maxCoeff(), 1e-6);
    EXPECT_GT(moments.variances[1], 0.1);
    EXPECT_EQ(moments.variances[0], 0);
}

TEST(LayerRows, LeavesOtherLayersAlone) {
    const net::Tensor x = random_tensor({2, 3, 4, 4}, 3);
    net::Layer layer;
    layer.filters = layer.inputs = 3;
    for (const char* op : {"ConvTranspose", "MatMul"}) {
        net::Node node;
        node.op = op;
        EXPECT_FALSE(LayerRows::of(node, layer, {3, 3, 2, 2}, x)) << op;
    }
}

}  // namespace
}  // namespace adiabat::sense
