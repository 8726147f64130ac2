// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/resample.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw InputError("{}", what); }

Node resize(std::map<std::string, Attribute> attributes) {
    Node node;
    node.op = "Resize";
    node.attributes = std::move(attributes);
    return node;
}

AxisSampling sampled(const Node& node, int64_t in, float scale, int opset = 19) {
    ResizeRequest request;
    request.scales = {scale};
    const auto target = resize_target(node, {in}, request, refuse);
    return resize_sampling(node, opset, {in}, target, request, refuse).at(0);
}

TEST(Resample, WeightsOfAPositionAddUpToOne) {
    for (const char* mode : {"linear", "cubic"}) {
        for (int64_t antialias : {0, 1}) {
            for (int64_t exclude : {0, 1}) {
                for (float scale : {0.3f, 0.5f, 0.8f, 2.0f, 3.7f}) {
                    const auto s = sampled(resize({{"mode", mode},
                                                   {"antialias", antialias},
                                                   {"exclude_outside", exclude}}),
                                           11, scale);
                    for (int64_t p = 0; p < s.out; ++p) {
                        float sum = 0;
                        for (int64_t t = 0; t < s.taps; ++t) {
                            const auto place = static_cast<size_t>(t * s.out + p);
                            sum += s.weight[place];
                            EXPECT_GE(s.index[place], 0);
                            EXPECT_LT(s.index[place], s.in);
                        }
                        EXPECT_NEAR(sum, 1, 1e-5) << mode << antialias << exclude << scale;
                    }
                }
            }
        }
    }
}

TEST(Resample, LinearOfARampIsTheCoordinate) {
    const auto s = sampled(resize({{"mode", "linear"}}), 10, 2.5f);
    ASSERT_EQ(s.out, 25);
    for (int64_t p = 0; p < s.out; ++p) {
        double value = 0;
        for (int64_t t = 0; t < s.taps; ++t) {
            const auto place = static_cast<size_t>(t * s.out + p);
            value += double{s.weight[place]} * static_cast<double>(s.index[place]);
        }
        const double at = (static_cast<double>(p) + 0.5) / 2.5 - 0.5;
        EXPECT_NEAR(value, std::clamp(at, 0.0, 9.0), 1e-5);
    }
}

TEST(Resample, NearestTakesTheElementThatTheModeNames) {
    const auto picked = [](const char* how, float scale, const char* at) {
        return sampled(resize({{"nearest_mode", how}, {"coordinate_transformation_mode", at}}), 4,
                       scale)
            .index;
    };
    // Coordinates 0, 0.5, 1, 1.5, ...
    EXPECT_EQ(picked("floor", 2, "asymmetric"), (Ints{0, 0, 1, 1, 2, 2, 3, 3}));
    EXPECT_EQ(picked("ceil", 2, "asymmetric"), (Ints{0, 1, 1, 2, 2, 3, 3, 3}));
    EXPECT_EQ(picked("round_prefer_floor", 2, "asymmetric"), (Ints{0, 0, 1, 1, 2, 2, 3, 3}));
    EXPECT_EQ(picked("round_prefer_ceil", 2, "asymmetric"), (Ints{0, 1, 1, 2, 2, 3, 3, 3}));
    // 0.5 and 2.5
    EXPECT_EQ(picked("round_prefer_floor", 0.5f, "half_pixel"), (Ints{0, 2}));
    EXPECT_EQ(picked("round_prefer_ceil", 0.5f, "half_pixel"), (Ints{1, 3}));
    // Before opset 11: the element before, behind where it shrinks.
    EXPECT_EQ(sampled(resize({}), 4, 1.5f, 10).index, (Ints{0, 0, 1, 2, 2, 3}));
    EXPECT_EQ(sampled(resize({}), 4, 0.75f, 10).index, (Ints{0, 2, 3}));
}

TEST(Resample, KeepsTheRatioWhereAsked) {
    ResizeRequest request;
    request.sizes = {{7, 8}};
    const Shape x = {2, 4};
    const auto shape = [&](const char* policy) {
        return resize_target(resize({{"keep_aspect_ratio_policy", policy}}), x, request, refuse)
            .shape;
    };
    EXPECT_EQ(shape("stretch"), (Shape{7, 8}));
    EXPECT_EQ(shape("not_larger"), (Shape{4, 8}));
    EXPECT_EQ(shape("not_smaller"), (Shape{7, 14}));
}

TEST(Resample, RefusesNonsense) {
    for (float scale : {0.0f, -1.0f, 1e30f, std::numeric_limits<float>::infinity(),
                        std::numeric_limits<float>::quiet_NaN()}) {
        EXPECT_THROW(sampled(resize({}), 4, scale), InputError) << scale;
    }
    EXPECT_THROW(sampled(resize({{"mode", "sharp"}}), 4, 2), InputError);
    EXPECT_THROW(sampled(resize({{"coordinate_transformation_mode", "x"}}), 4, 2), InputError);
    ResizeRequest request;
    request.sizes = {{-3}};
    EXPECT_THROW(resize_target(resize({}), {4}, request, refuse), InputError);
    request.sizes = {{3, 3}};
    EXPECT_THROW(resize_target(resize({}), {4}, request, refuse), InputError);
}

// Sizes from Shape, Slice and Concat leave the batch open, by scales after folding.
TEST(Resample, FollowsSizesThatNameTheBatch) {
    GraphBuilder b(13);
    const ValueId x = b.input("x", {kUnknown, 3, 8, 8});
    const ValueId shape = b.node("Shape", {x});
    const ValueId front = b.node("Slice", {shape, b.ints({0}), b.ints({2})});
    const ValueId sizes = b.node("Concat", {front, b.ints({16, 20})}, {{"axis", int64_t{0}}});
    const ValueId y = b.node("Resize", {x, kNoValue, kNoValue, sizes});
    infer_shapes(b.graph);
    EXPECT_EQ(b.graph.value(y).shape, (Shape{kUnknown, 3, 16, 20}));
}

}  // namespace
}  // namespace adiabat::net
