// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/evaluate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/net/graph_builder.test.h"
#include "adiabat/net/shape_inference.h"

namespace adiabat::net {
namespace {

// The outputs of the builder's last node.
std::vector<Tensor> evaluated_all(GraphBuilder& b) {
    infer_shapes(b.graph);
    auto results = evaluate(b.graph, b.graph.nodes.back());
    if (!results) throw std::runtime_error("not evaluated");
    return *results;
}
Tensor evaluated(GraphBuilder& b) { return evaluated_all(b).at(0); }

template <typename T>
std::vector<T> elements_of(const Tensor& tensor) {
    const auto span = tensor.as<T>();
    return {span.begin(), span.end()};
}

Tensor counting(const Shape& shape) {
    std::vector<int32_t> values(static_cast<size_t>(elements(shape)));
    std::iota(values.begin(), values.end(), 100);
    return Tensor::of<int32_t>(shape, values);
}

// The naive twin of everything that only moves elements: for every position of the output, the
// position of the input, one at a time.
using Index = std::vector<int64_t>;
std::vector<int32_t> moved_naively(const Tensor& x, const Shape& out,
                                   const std::function<Index(const Index&)>& from) {
    std::vector<int32_t> result;
    Index at(out.size(), 0);
    for (int64_t n = 0; n < elements(out); ++n) {
        const Index source = from(at);
        int64_t offset = 0;
        for (size_t d = 0; d < source.size(); ++d) offset = offset * x.shape[d] + source[d];
        result.push_back(x.as<int32_t>()[static_cast<size_t>(offset)]);
        for (size_t d = out.size(); d-- > 0;) {
            if (++at[d] < out[d]) break;
            at[d] = 0;
        }
    }
    return result;
}

TEST(Evaluate, TransposesEveryWay) {
    const Tensor x = counting({2, 3, 4, 5});
    Ints perm = {0, 1, 2, 3};
    do {
        GraphBuilder b;
        b.node("Transpose", {b.constant(x)}, {{"perm", perm}});
        const Tensor y = evaluated(b);
        EXPECT_EQ(elements_of<int32_t>(y), moved_naively(x, y.shape, [&](const Index& at) {
                      Index source(4);
                      for (size_t d = 0; d < 4; ++d) source[static_cast<size_t>(perm[d])] = at[d];
                      return source;
                  }));
    } while (std::next_permutation(perm.begin(), perm.end()));
}

TEST(Evaluate, SlicesForwardsAndBackwards) {
    const Tensor x = counting({4, 5, 3});
    for (int64_t step : {-2, -1, 1, 2}) {
        GraphBuilder b;
        const int64_t start = step > 0 ? 1 : -1;
        const int64_t end =
            step > 0 ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
        b.node("Slice", {b.constant(x), b.ints({start, 0}), b.ints({end, 2}), b.ints({1, -1}),
                         b.ints({step, 1})});
        const Tensor y = evaluated(b);
        const int64_t first = step > 0 ? 1 : 4;
        EXPECT_EQ(elements_of<int32_t>(y), moved_naively(x, y.shape, [&](const Index& at) {
                      return Index{at[0], first + step * at[1], at[2]};
                  }));
        EXPECT_EQ(y.shape[1], step == 1 ? 4 : step == -1 ? 5 : step == 2 ? 2 : 3);
    }
}

TEST(Evaluate, ExpandsGathersSplitsAndConcatenates) {
    const Tensor x = counting({3, 1, 4});
    GraphBuilder expand;
    expand.node("Expand", {expand.constant(x), expand.ints({2, 1, 5, 1})});
    const Tensor wide = evaluated(expand);
    EXPECT_EQ(wide.shape, (Shape{2, 3, 5, 4}));
    EXPECT_EQ(elements_of<int32_t>(wide), moved_naively(x, wide.shape, [](const Index& at) {
                  return Index{at[1], 0, at[3]};
              }));

    GraphBuilder gather;
    gather.node("Gather",
                {gather.constant(x), gather.constant(Tensor::of<int64_t>({2, 2}, {3, 0, -1, 1}))},
                {{"axis", int64_t{-1}}});
    const Index picks = {3, 0, 3, 1};
    const Tensor gathered = evaluated(gather);
    EXPECT_EQ(gathered.shape, (Shape{3, 1, 2, 2}));
    EXPECT_EQ(elements_of<int32_t>(gathered),
              moved_naively(x, gathered.shape, [&](const Index& at) {
                  return Index{at[0], 0, picks[static_cast<size_t>(at[2] * 2 + at[3])]};
              }));

    GraphBuilder split;
    const auto parts =
        split.nodes("Split", {split.constant(x), split.ints({1, 3})}, 2, {{"axis", int64_t{2}}});
    const auto halves = evaluated_all(split);
    GraphBuilder concat;
    concat.node("Concat", {concat.constant(halves[0]), concat.constant(halves[1])},
                {{"axis", int64_t{2}}});
    EXPECT_EQ(evaluated(concat), x);
    EXPECT_EQ(elements_of<int32_t>(halves[0]), (std::vector<int32_t>{100, 104, 108}));
}

TEST(Evaluate, PadsAndCuts) {
    GraphBuilder b;
    b.node("Pad", {b.constant(counting({2, 3})), b.ints({1, -1, 0, 2}),
                   b.constant(Tensor::scalar<int32_t>(7))});
    const Tensor y = evaluated(b);
    EXPECT_EQ(y.shape, (Shape{3, 4}));
    EXPECT_EQ(elements_of<int32_t>(y),
              (std::vector<int32_t>{7, 7, 7, 7, 101, 102, 7, 7, 104, 105, 7, 7}));
}

TEST(Evaluate, IndexOutOfRangeIsTheUsersFault) {
    GraphBuilder b;
    b.node("Gather", {b.constant(counting({3})), b.ints({3})});
    EXPECT_THROW(evaluated(b), InputError);
}

template <typename T>
std::vector<T> arithmetic(const char* op, std::vector<T> a, std::vector<T> b,
                          const std::map<std::string, Attribute>& attributes = {}) {
    GraphBuilder builder;
    const auto n = static_cast<int64_t>(a.size()), m = static_cast<int64_t>(b.size());
    builder.node(op,
                 {builder.constant(Tensor::of<T>({n}, a)), builder.constant(Tensor::of<T>({m}, b))},
                 attributes);
    return elements_of<T>(evaluated(builder));
}

TEST(Evaluate, IntegersWrapAroundAndDivisionTruncates) {
    constexpr int32_t kMax = std::numeric_limits<int32_t>::max(),
                      kMin = std::numeric_limits<int32_t>::min();
    EXPECT_EQ(arithmetic<int32_t>("Add", {kMax, 1}, {1, 2}), (std::vector<int32_t>{kMin, 3}));
    EXPECT_EQ(arithmetic<int32_t>("Mul", {kMax, kMin}, {2, -1}), (std::vector<int32_t>{-2, kMin}));
    EXPECT_EQ(arithmetic<uint16_t>("Mul", {65535}, {65535}), std::vector<uint16_t>{1});
    EXPECT_EQ(arithmetic<uint8_t>("Sub", {3}, {5}), std::vector<uint8_t>{254});
    EXPECT_EQ(arithmetic<int64_t>("Div", {7, -7, 9}, {2, 2, -2}),
              (std::vector<int64_t>{3, -3, -4}));
    EXPECT_EQ(arithmetic<int32_t>("Div", {kMin}, {-1}), std::vector<int32_t>{kMin});
    EXPECT_THROW(arithmetic<int32_t>("Div", {1}, {0}), InputError);
    EXPECT_EQ(arithmetic<float>("Div", {1.0f}, {0.0f})[0], std::numeric_limits<float>::infinity());
}

TEST(Evaluate, RemaindersTakeTheSignOfTheDivisorOrOfTheDividend) {
    EXPECT_EQ(arithmetic<int64_t>("Mod", {7, -7, 7, -7, 6}, {3, 3, -3, -3, -3}),
              (std::vector<int64_t>{1, 2, -2, -1, 0}));
    EXPECT_EQ(
        arithmetic<int64_t>("Mod", {7, -7, 7, -7, 6}, {3, 3, -3, -3, -3}, {{"fmod", int64_t{1}}}),
        (std::vector<int64_t>{1, -1, 1, -1, 0}));
    EXPECT_EQ(arithmetic<float>("Mod", {-7.5f}, {2.0f}, {{"fmod", int64_t{1}}}),
              std::vector<float>{-1.5f});
}

TEST(Evaluate, ShiftsAndMasks) {
    const std::map<std::string, Attribute> left = {{"direction", "LEFT"}},
                                           right = {{"direction", "RIGHT"}};
    EXPECT_EQ(arithmetic<uint8_t>("BitShift", {0xB5, 1, 1}, {1, 7, 8}, left),
              (std::vector<uint8_t>{0x6A, 0x80, 0}));
    EXPECT_EQ(arithmetic<uint8_t>("BitShift", {0xB5, 0x80, 1}, {1, 7, 8}, right),
              (std::vector<uint8_t>{0x5A, 1, 0}));
    EXPECT_EQ(arithmetic<uint8_t>("BitwiseAnd", {0xB5, 0x0F}, {0x0F}),
              (std::vector<uint8_t>{5, 15}));
}

TEST(Evaluate, BroadcastsLikeAnIndexAtATime) {
    for (uint64_t seed = 0; seed < 200; ++seed) {
        Random random(seed);
        Shape a, b;
        for (uint32_t d = 0; d < 4; ++d) {
            const int64_t size = 1 + random.below(4);
            a.push_back(random.below(3) ? size : 1);
            b.push_back(random.below(3) ? size : 1);
        }
        b.erase(b.begin(), b.begin() + random.below(4));
        GraphBuilder builder;
        const Tensor x = counting(a), y = counting(b);
        builder.node("Sub", {builder.constant(x), builder.constant(y)});
        const Tensor z = evaluated(builder);
        const auto from = [&](const Shape& shape) {
            return [&](const Index& at) {
                Index source(shape.size());
                for (size_t d = 0; d < shape.size(); ++d) {
                    source[d] = shape[d] == 1 ? 0 : at[d + at.size() - shape.size()];
                }
                return source;
            };
        };
        const auto left = moved_naively(x, z.shape, from(a)),
                   right = moved_naively(y, z.shape, from(b));
        for (size_t k = 0; k < left.size(); ++k) {
            ASSERT_EQ(z.as<int32_t>()[k], left[k] - right[k]) << "seed " << seed;
        }
    }
}

template <typename From, typename To>
std::vector<To> cast(std::vector<From> values) {
    GraphBuilder b;
    const auto n = static_cast<int64_t>(values.size());
    b.node("Cast", {b.constant(Tensor::of<From>({n}, values))},
           {{"to", static_cast<int64_t>(DTypeOf<To>::value)}});
    return elements_of<To>(evaluated(b));
}

// Expected values are what ONNX Runtime 1.32 gives on x86-64.
TEST(Evaluate, CastsAsOnnxRuntimeDoes) {
    const std::vector<float> x = {0.5f, -1.5f, 127.6f,  128,
                                  300,  -129,  70000,   3e9f,
                                  5e9f, -3e9f, 9.3e18f, std::numeric_limits<float>::quiet_NaN()};
    EXPECT_EQ((cast<float, int8_t>(x)),
              (std::vector<int8_t>{0, -1, 127, -128, 44, 127, 112, 0, 0, 0, 0, 0}));
    EXPECT_EQ((cast<float, uint8_t>(x)),
              (std::vector<uint8_t>{0, 255, 127, 128, 44, 127, 112, 0, 0, 0, 0, 0}));
    constexpr int32_t kMin = std::numeric_limits<int32_t>::min();
    EXPECT_EQ((cast<float, int32_t>(x)), (std::vector<int32_t>{0, -1, 127, 128, 300, -129, 70000,
                                                               kMin, kMin, kMin, kMin, kMin}));
    constexpr int64_t kLong = std::numeric_limits<int64_t>::min();
    EXPECT_EQ((cast<float, int64_t>(x)),
              (std::vector<int64_t>{0, -1, 127, 128, 300, -129, 70000, 3000000000, 5000000000,
                                    -3000000000, kLong, kLong}));
    EXPECT_EQ((cast<float, uint64_t>({-1.5f, 9.3e18f})),
              (std::vector<uint64_t>{~uint64_t{0}, 9300000300729368576u}));
    EXPECT_EQ((cast<int32_t, int8_t>({300, -1, -129, 128})),
              (std::vector<int8_t>{44, -1, 127, -128}));
    EXPECT_EQ((cast<int32_t, float>({300, -1})), (std::vector<float>{300, -1}));
    EXPECT_EQ((cast<uint8_t, int8_t>({0, 127, 128, 255})), (std::vector<int8_t>{0, 127, -128, -1}));
}

Tensor cast_to(const Tensor& x, DType type) {
    GraphBuilder b(21);
    b.node("Cast", {b.constant(x)}, {{"to", static_cast<int64_t>(type)}});
    return evaluated(b);
}

TEST(Evaluate, UnpacksAndPacksFourBits) {
    Tensor codes(DType::kInt4, {5});
    codes.bytes = {0x81, 0x7F, 0x03};  // 1, -8, -1, 7, 3
    const Tensor wide = cast_to(codes, DType::kInt8);
    EXPECT_EQ(elements_of<int8_t>(wide), (std::vector<int8_t>{1, -8, -1, 7, 3}));
    EXPECT_EQ(cast_to(wide, DType::kInt4), codes);
    codes.type = DType::kUint4;
    EXPECT_EQ(elements_of<int8_t>(cast_to(codes, DType::kInt8)),
              (std::vector<int8_t>{1, 8, 15, 7, 3}));
    // From float, and to four bits alone, the runtime rounds.
    const Tensor floats = Tensor::of<float>({5}, {0.5f, -1.5f, 7.6f, 2.5f, 20});
    EXPECT_EQ(cast_to(cast_to(floats, DType::kInt4), DType::kInt32),
              Tensor::of<int32_t>({5}, {1, -2, -8, 3, 4}));
}

TEST(Evaluate, FourBitElementsMoveLikeAnyOther) {
    const Tensor wide = Tensor::of<int8_t>({3, 3}, {1, -2, 3, -4, 5, -6, 7, -8, 0});
    const Tensor codes = cast_to(wide, DType::kInt4);
    GraphBuilder narrow, reference;
    narrow.node("Transpose", {narrow.constant(codes)});
    reference.node("Transpose", {reference.constant(wide)});
    EXPECT_EQ(cast_to(evaluated(narrow), DType::kInt8), evaluated(reference));
    GraphBuilder joined;
    const ValueId c = joined.constant(codes);
    joined.node("Concat", {c, c}, {{"axis", int64_t{1}}});
    const auto all = elements_of<int8_t>(cast_to(evaluated(joined), DType::kInt8));
    EXPECT_EQ(all,
              (std::vector<int8_t>{1, -2, 3, 1, -2, 3, -4, 5, -6, -4, 5, -6, 7, -8, 0, 7, -8, 0}));
}

TEST(Evaluate, HalvesKeepEveryValueAndRoundToEven) {
    Tensor halves(DType::kFloat16, {65536});
    for (uint32_t k = 0; k < 65536; ++k) {
        const auto pattern = static_cast<uint16_t>(k);
        std::memcpy(halves.bytes.data() + 2 * k, &pattern, 2);
    }
    const Tensor back = cast_to(cast_to(halves, DType::kFloat), DType::kFloat16);
    for (uint32_t k = 0; k < 65536; ++k) {
        if ((k & 0x7C00) == 0x7C00 && (k & 0x3FF) != 0) continue;  // NaN
        ASSERT_EQ(0, std::memcmp(back.bytes.data() + 2 * k, halves.bytes.data() + 2 * k, 2)) << k;
    }
    // 1 + 2^-11 is half way between two halves, 1 + 3 x 2^-11 too.
    const Tensor ties = Tensor::of<float>({2}, {1.0f + 0x1p-11f, 1.0f + 0x1.8p-10f});
    EXPECT_EQ(cast_to(ties, DType::kFloat16).to_doubles(),
              (std::vector<double>{1.0, 1.0 + 0x1p-9}));
    EXPECT_EQ(cast_to(ties, DType::kBfloat16).to_doubles(), (std::vector<double>{1.0, 1.0}));
}

TEST(Evaluate, SumsOverAnyAxes) {
    const Tensor x = counting({2, 3, 4});
    for (int mask = 1; mask < 8; ++mask) {
        Ints axes;
        std::vector<bool> summed(3);
        for (int d = 0; d < 3; ++d) {
            summed[static_cast<size_t>(d)] = mask >> d & 1;
            if (mask >> d & 1) axes.push_back(d - 3);
        }
        GraphBuilder b;
        b.node("ReduceSum", {b.constant(x), b.ints(axes)});
        const Tensor y = evaluated(b);
        std::vector<int32_t> naive(y.as<int32_t>().size(), 0);
        for (int64_t i = 0; i < 24; ++i) {
            const int64_t at[] = {i / 12, i / 4 % 3, i % 4};
            int64_t offset = 0;
            for (size_t d = 0; d < 3; ++d) offset = offset * y.shape[d] + (summed[d] ? 0 : at[d]);
            naive[static_cast<size_t>(offset)] += x.as<int32_t>()[static_cast<size_t>(i)];
        }
        EXPECT_EQ(elements_of<int32_t>(y), naive) << mask;
    }
}

TEST(Evaluate, MultipliesBatchesOfMatrices) {
    const Tensor x = counting({2, 1, 3, 4}), y = counting({5, 4, 2});
    GraphBuilder b;
    b.node("MatMul", {b.constant(x), b.constant(y)});
    const Tensor z = evaluated(b);
    ASSERT_EQ(z.shape, (Shape{2, 5, 3, 2}));
    for (int64_t i = 0; i < z.size(); ++i) {
        const int64_t p = i / 30, q = i / 6 % 5, row = i / 2 % 3, column = i % 2;
        int32_t sum = 0;
        for (int64_t k = 0; k < 4; ++k) {
            sum += x.as<int32_t>()[static_cast<size_t>((p * 3 + row) * 4 + k)] *
                   y.as<int32_t>()[static_cast<size_t>((q * 4 + k) * 2 + column)];
        }
        ASSERT_EQ(z.as<int32_t>()[static_cast<size_t>(i)], sum) << i;
    }
}

TEST(Evaluate, LeavesAloneWhatItCannotDo) {
    GraphBuilder b;
    const ValueId x = b.input("x", {2});
    b.node("Add", {x, x});
    infer_shapes(b.graph);
    EXPECT_EQ(evaluate(b.graph, b.graph.nodes.back()), std::nullopt);
    b.node("ConstantOfShape", {b.ints({1 << 20, 1 << 20})});  // 4 TiB from 16 bytes
    infer_shapes(b.graph);
    EXPECT_EQ(evaluate(b.graph, b.graph.nodes.back()), std::nullopt);
}

}  // namespace
}  // namespace adiabat::net
