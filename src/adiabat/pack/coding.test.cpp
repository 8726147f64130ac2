// SPDX-License-Identifier: Apache-2.0
#include "adiabat/pack/coding.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "adiabat/base/errors.h"
#include "adiabat/base/random.h"
#include "adiabat/onnx/self_decoding.h"

namespace adiabat::pack {
namespace {

using net::DType;

std::vector<uint8_t> random_bytes(size_t count, uint64_t seed, uint32_t below = 256) {
    Random random(seed);
    std::vector<uint8_t> bytes(count);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.below(below));
    return bytes;
}

std::vector<Layout> every_layout() {
    std::vector<Layout> layouts = {{}};
    for (const int bits : {16, 32, 64}) layouts.push_back({Coding::kFloats, bits, bits, 0});
    for (const int bits : {4, 8, 16, 32, 64}) layouts.push_back({Coding::kIntegers, bits, bits, 3});
    for (int bits = 2; bits <= 7; ++bits) layouts.push_back({Coding::kPlanes, bits, bits, 0});
    return layouts;
}

TEST(Coding, SplitAndJoinedStreamsAreTheSame) {
    for (const Layout& layout : every_layout()) {
        ASSERT_TRUE(is_valid(layout));
        for (const size_t units : {1u, 2u, 7u, 100u}) {
            const auto stream =
                random_bytes(units * 8 * static_cast<size_t>(layout.element_bits), units);
            const Parts parts = split(stream, layout);
            ASSERT_EQ(parts.size(), part_bits(layout).size());
            for (size_t p = 0; p < parts.size(); ++p) {
                EXPECT_EQ(parts[p].size(), codes_in(layout, stream.size()));
                for (const uint8_t code : parts[p]) EXPECT_LT(code, 1 << part_bits(layout)[p]);
            }
            EXPECT_EQ(join(parts, layout), stream);
        }
    }
}

// Stored codes come back, dense ones bit by bit as they are described.
TEST(Coding, StoredPartsComeBackAndAreNeverLongerThanTheirBits) {
    for (int bits = 1; bits <= 8; ++bits) {
        for (const size_t count : {1u, 5u, 8u, 1000u, 70'000u}) {
            for (const uint32_t below : {1u, 2u, 1u << bits}) {
                const auto codes = random_bytes(count, count + below, std::min(below, 1u << bits));
                const auto stored = store_part(codes, bits, Effort::kThorough, {});
                EXPECT_LE(stored.size(), dense_bytes(count, bits));
                EXPECT_EQ(load_part(stored, count, bits, "x", {}), codes);
                if (stored.size() < dense_bytes(count, bits)) continue;
                for (size_t at = 0; at < count * static_cast<size_t>(bits); ++at) {
                    const size_t code = at / bits, bit = at % bits;
                    ASSERT_EQ(stored[at / 8] >> at % 8 & 1, codes[code] >> bit & 1);
                }
            }
        }
    }
}

TEST(Coding, FewDifferentCodesTakeFewBytes) {
    // 1.58 bits each, and what frames and tables take.
    const auto codes = random_bytes(100'000, 1, 3);
    EXPECT_LT(store_part(codes, 7, Effort::kThorough, {}).size(), 100'000 * 1.7 / 8);
    EXPECT_LT(store_part(codes, 2, Effort::kThorough, {}).size(), 100'000 * 1.7 / 8);
    EXPECT_LT(store_part(std::vector<uint8_t>(100'000, 5), 3, Effort::kQuick, {}).size(), 50u);
}

TEST(Coding, PlanesAreThoseOfSelfDecodingWeights) {
    for (int bits = 2; bits <= 7; ++bits) {
        const auto codes = random_bytes(8 * 51, static_cast<uint64_t>(bits), 1u << bits);
        const auto planes = onnx::pack_planes(codes, bits);
        EXPECT_EQ(split(planes, {Coding::kPlanes, bits, bits, 0}), Parts{codes});
    }
}

TEST(Coding, FloatsAreRotatedSoThatExponentsAreBytes) {
    const std::vector<float> numbers = {1.0f, -1.0f, 0.3f, -2.5e-7f, 0.0f};
    std::vector<uint8_t> stream(numbers.size() * sizeof(float));
    std::memcpy(stream.data(), numbers.data(), stream.size());
    const Parts parts = split(stream, {Coding::kFloats, 32, 32, 0});
    for (size_t k = 0; k < numbers.size(); ++k) {
        const auto pattern = std::bit_cast<uint32_t>(numbers[k]);
        EXPECT_EQ(parts[3][k], pattern >> 23 & 255);
        EXPECT_EQ(parts[0][k] & 1, pattern >> 31);
        for (size_t p = 0; p < 4; ++p) {
            EXPECT_EQ(parts[p][k], std::rotl(pattern, 1) >> 8 * p & 255);
        }
    }
}

// The least width that holds all values, signed and unsigned, found by trying.
TEST(Coding, IntegersTakeTheLeastWidth) {
    struct Case {
        DType type;
        std::vector<int64_t> values;
        int width;
    };
    const Case cases[] = {{DType::kInt32, {-5, 2}, 3},
                          {DType::kInt32, {7, 7, 7}, 1},
                          {DType::kInt32, {-1, 0}, 1},
                          {DType::kInt32, {-2'000'000'000, 2'000'000'000}, 32},
                          {DType::kInt64, {INT64_MIN, INT64_MAX}, 64},
                          {DType::kInt64, {INT64_MIN, INT64_MIN + 255}, 8},
                          {DType::kInt64, {INT64_MAX - 256, INT64_MAX}, 9},
                          {DType::kUint64, {0, -1}, 64},
                          {DType::kUint8, {100, 103}, 2},
                          {DType::kUint16, {0, 40'000}, 16}};
    for (const Case& each : cases) {
        const int bytes = net::bits_of(each.type) / 8;
        std::vector<uint8_t> stream;
        for (const int64_t value : each.values) {
            for (int k = 0; k < bytes; ++k) {
                stream.push_back(static_cast<uint8_t>(static_cast<uint64_t>(value) >> 8 * k));
            }
        }
        const auto layouts = layouts_for(each.type, 0, stream);
        EXPECT_EQ(layouts[0].coding, Coding::kIntegers);
        EXPECT_EQ(layouts[0].width, each.width) << each.values[0];
        EXPECT_EQ(join(split(stream, layouts[0]), layouts[0]), stream);
    }
}

TEST(Coding, NumbersThatDoNotFillTheirBytesAreBytes) {
    const auto stream = random_bytes(1025, 1);
    for (const DType type : {DType::kFloat, DType::kInt32, DType::kString, DType::kFloat8E5M2,
                             static_cast<DType>(99)}) {
        const auto layouts = layouts_for(type, 0, stream);
        ASSERT_EQ(layouts.size(), 1u);
        EXPECT_EQ(layouts[0].coding, Coding::kBytes);
    }
}

TEST(Squeeze, WhatIsNoFrameIsRefused) {
    const auto bytes = random_bytes(3000, 1, 4);
    const auto squeezed = squeeze(bytes, Effort::kThorough, {});
    EXPECT_EQ(unsqueeze(squeezed, bytes.size(), "x", {}), bytes);
    EXPECT_THROW(unsqueeze(squeezed, bytes.size() - 1, "x", {}), InputError);
    EXPECT_THROW(unsqueeze(squeezed, bytes.size() + 1, "x", {}), InputError);
    EXPECT_THROW(unsqueeze({}, 1, "x", {}), InputError);
    EXPECT_THROW(unsqueeze(bytes, 3000, "x", {}), InputError);
    for (size_t count = 0; count < squeezed.size(); ++count) {
        EXPECT_THROW(unsqueeze(std::span(squeezed).first(count), bytes.size(), "x", {}),
                     InputError);
    }
    auto longer = squeezed;
    longer.push_back(0);
    EXPECT_THROW(unsqueeze(longer, bytes.size(), "x", {}), InputError);
}

TEST(Squeeze, StopsWhenAsked) {
    StopSource source;
    source.request();
    EXPECT_THROW(squeeze(random_bytes(3000, 1), Effort::kQuick, source.token()), Interrupted);
}

}  // namespace
}  // namespace adiabat::pack
