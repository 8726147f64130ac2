// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace adiabat::net {
namespace {

TEST(Tensor, ConvertsEveryNumericType) {
    EXPECT_EQ(Tensor::of<int8_t>({2}, std::vector<int8_t>{-128, 127}).to_ints(),
              (std::vector<int64_t>{-128, 127}));
    EXPECT_EQ(Tensor::of<uint64_t>({1}, std::vector<uint64_t>{1ull << 40}).to_doubles(),
              (std::vector<double>{1099511627776.0}));
    Tensor nibbles(DType::kInt4, {3});
    nibbles.bytes = {0x8F, 0x07};
    EXPECT_EQ(nibbles.to_ints(), (std::vector<int64_t>{-1, -8, 7}));
    nibbles.type = DType::kUint4;
    EXPECT_EQ(nibbles.to_ints(), (std::vector<int64_t>{15, 8, 7}));
}

TEST(Tensor, ReadsHalves) {
    Tensor half(DType::kFloat16, {6});
    const uint16_t words[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x7C00, 0x8000};
    std::memcpy(half.bytes.data(), words, sizeof words);
    EXPECT_EQ(half.to_doubles(), (std::vector<double>{1, -2, 0x1p-24, 65504,
                                                      std::numeric_limits<double>::infinity(), 0}));
    half.type = DType::kBfloat16;
    EXPECT_EQ(half.to_doubles()[1], -2.0);
}

TEST(Tensor, RefusesWhatHasNoSize) {
    EXPECT_THROW(elements({2, kUnknown}), InputError);
    EXPECT_THROW(elements({int64_t{1} << 40, int64_t{1} << 40}), InputError);
    EXPECT_EQ(elements({}), 1);
    EXPECT_EQ(elements({3, 0}), 0);
}

TEST(Tensor, IsReadOnlyAsWhatItIs) {
    const auto tensor = Tensor::of<float>({2}, std::vector<float>{1, 2});
    EXPECT_EQ(tensor.as<float>()[1], 2);
    EXPECT_THROW(tensor.as<int32_t>(), InternalError);
}

TEST(Tensor, RowsOfAreTheRowsOfAnyType) {
    const Tensor t = Tensor::of<int16_t>({3, 2}, std::vector<int16_t>{1, 2, 3, 4, 5, 6});
    EXPECT_EQ(rows_of(t, 1, 2), Tensor::of<int16_t>({2, 2}, std::vector<int16_t>{3, 4, 5, 6}));
    EXPECT_EQ(rows_of(t, 3, 0).size(), 0);
    EXPECT_THROW(rows_of(t, 2, 2), InternalError);
}

TEST(Tensor, ChannelMeansAreOverImagesAndPositions) {
    const Tensor t = Tensor::of<float>({2, 2, 2}, std::vector<float>{1, 3, 10, 20, 5, 7, 30, 40});
    EXPECT_EQ(channel_means(t), (std::vector<double>{4, 25}));
}

}  // namespace
}  // namespace adiabat::net
