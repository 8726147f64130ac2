// SPDX-License-Identifier: Apache-2.0
//
// Element types that LibTorch lacks, and runs that are not about a batch of images.

#include <gtest/gtest.h>

#include "adiabat/base/errors.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/pipeline/engine_plugin.h"

namespace adiabat::torch {
namespace {

using net::DType;
using net::Feed;
using net::GraphBuilder;
using net::Tensor;
using net::ValueId;

// One operator on fed inputs.
Tensor run(const char* op, const std::vector<Tensor>& inputs,
           const std::map<std::string, net::Attribute>& attributes = {}) {
    GraphBuilder b(21);
    std::vector<ValueId> ids;
    std::vector<Feed> feeds;
    for (const Tensor& input : inputs) {
        ids.push_back(b.input("x" + std::to_string(ids.size()), input.shape, input.type));
        feeds.push_back({ids.back(), &input});
    }
    const ValueId y = b.node(op, ids, attributes);
    net::infer_shapes(b.graph);
    return pipeline::load_engine()->open(b.graph, {})->run(feeds, {&y, 1})[0];
}

TEST(Operators, IntegersThatLibTorchLacksWrapAsTheyShould) {
    const auto big = Tensor::of<uint32_t>({2}, {4294967295u, 7}), two = Tensor::scalar<uint32_t>(2);
    EXPECT_EQ(run("Add", {big, two}), Tensor::of<uint32_t>({2}, {1, 9}));
    const auto bytes = Tensor::of<uint8_t>({2}, {200, 3}),
               more = Tensor::of<uint8_t>({2}, {100, 5});
    EXPECT_EQ(run("Add", {bytes, more}), Tensor::of<uint8_t>({2}, {44, 8}));
    EXPECT_EQ(run("Sub", {bytes, more}), Tensor::of<uint8_t>({2}, {100, 254}));
    const uint64_t most = ~uint64_t{0};
    EXPECT_EQ(run("Div", {Tensor::of<uint64_t>({1}, {most}), Tensor::of<uint64_t>({1}, {2})}),
              Tensor::of<uint64_t>({1}, {most / 2}));
    EXPECT_EQ(run("Mul", {Tensor::of<uint16_t>({1}, {65535}), Tensor::of<uint16_t>({1}, {65535})}),
              Tensor::of<uint16_t>({1}, {1}));
    EXPECT_EQ(run("Mod", {Tensor::of<int8_t>({2}, {-7, 7}), Tensor::of<int8_t>({1}, {3})}),
              Tensor::of<int8_t>({2}, {2, 1}));
}

TEST(Operators, CastsThereAndBack) {
    const auto x = Tensor::of<float>({5}, {1, -0.5f, 3, -8, 7});
    for (DType type : {DType::kInt4, DType::kFloat8E4M3FN, DType::kFloat8E5M2, DType::kFloat16,
                       DType::kBfloat16, DType::kDouble}) {
        const Tensor there = run("Cast", {x}, {{"to", static_cast<int64_t>(type)}});
        EXPECT_EQ(there.type, type);
        const Tensor back = run("Cast", {there}, {{"to", int64_t{1}}});
        auto expected = x;
        if (type == DType::kInt4) expected.as<float>()[1] = -1;  // half away from zero
        EXPECT_EQ(back, expected) << net::name_of(type);
    }
}

TEST(Operators, InputsNeedNoCommonBatchWhereTheGraphFixesThem) {
    const auto a = net::random_tensor({2, 1}, 1), b = net::random_tensor({3}, 2);
    const Tensor sum = run("Add", {a, b});
    EXPECT_EQ(sum.shape, (net::Shape{2, 3}));
    EXPECT_FLOAT_EQ(sum.as<float>()[5], a.as<float>()[1] + b.as<float>()[2]);
    EXPECT_EQ(run("Abs", {Tensor::scalar(-2.0f)}), Tensor::scalar(2.0f));
    EXPECT_EQ(run("Abs", {Tensor(DType::kFloat, {0, 3})}).shape, (net::Shape{0, 3}));
}

TEST(Operators, DividingIntegersByZeroIsTheUsersFault) {
    for (const auto& [a, b] : {std::pair{Tensor::scalar<int32_t>(1), Tensor::scalar<int32_t>(0)},
                               {Tensor::scalar<uint8_t>(1), Tensor::scalar<uint8_t>(0)}}) {
        EXPECT_THROW(run("Div", {a, b}), InputError);
        EXPECT_THROW(run("Mod", {a, b}), InputError);
    }
}

TEST(Operators, BoundsOfClipKeepTheType) {
    const auto x = Tensor::of<int64_t>({3}, {-5, 0, int64_t{1} << 60});
    EXPECT_EQ(run("Clip", {x, Tensor::scalar<int64_t>(-1)}),
              Tensor::of<int64_t>({3}, {-1, 0, int64_t{1} << 60}));
}

}  // namespace
}  // namespace adiabat::torch
