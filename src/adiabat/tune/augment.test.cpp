// SPDX-License-Identifier: Apache-2.0
#include "adiabat/tune/augment.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "adiabat/net/graph_builder.test.h"

namespace adiabat::tune {
namespace {

using net::Tensor;

constexpr int64_t kSide = 6;
const std::vector<float> kFill = {-7, -8};

// The naive twin: an image with a frame of `pad` pixels, cut out at (top, left), mirrored.
std::vector<float> cut_out(const float* image, int pad, int64_t top, int64_t left, bool mirror) {
    std::vector<float> result;
    for (int64_t c = 0; c < 2; ++c) {
        std::vector<std::vector<float>> framed(
            static_cast<size_t>(kSide + 2 * pad),
            std::vector<float>(static_cast<size_t>(kSide + 2 * pad),
                               kFill[static_cast<size_t>(c)]));
        for (int64_t y = 0; y < kSide; ++y) {
            for (int64_t x = 0; x < kSide; ++x) {
                const int64_t from = mirror ? kSide - 1 - x : x;
                framed[static_cast<size_t>(y + pad)][static_cast<size_t>(x + pad)] =
                    image[(c * kSide + y) * kSide + from];
            }
        }
        for (int64_t y = 0; y < kSide; ++y) {
            for (int64_t x = 0; x < kSide; ++x) {
                result.push_back(
                    framed[static_cast<size_t>(y + top)][static_cast<size_t>(x + left)]);
            }
        }
    }
    return result;
}

std::vector<int64_t> numbers(int64_t n) {
    std::vector<int64_t> result;
    for (int64_t k = 0; k < n; ++k) result.push_back(3 * k + 1);
    return result;
}

TEST(Augment, IsOneOfAllCutsOfTheFramedImage) {
    const Tensor before = net::random_tensor({400, 2, kSide, kSide}, 1);
    Tensor after = before;
    augment(after, numbers(400), {true, 1}, kFill, 5, 2);
    std::set<int> seen;  // which of the 18 an image became
    constexpr size_t kPixels = 2 * kSide * kSide;
    for (size_t n = 0; n < 400; ++n) {
        const float* image = before.as<float>().data() + n * kPixels;
        const auto found = after.as<float>().subspan(n * kPixels, kPixels);
        int which = -1;
        for (int k = 0; k < 18; ++k) {
            const auto wanted = cut_out(image, 1, k % 3, k / 3 % 3, k >= 9);
            if (std::equal(wanted.begin(), wanted.end(), found.begin())) which = k;
        }
        ASSERT_GE(which, 0) << "image " << n;
        seen.insert(which);
    }
    EXPECT_EQ(seen.size(), 18);
}

TEST(Augment, DependsOnSeedEpochAndImageAlone) {
    const Tensor images = net::random_tensor({8, 2, kSide, kSide}, 1);
    Tensor together = images, again = images, later = images, other = images;
    augment(together, numbers(8), {}, kFill, 1, 0);
    augment(again, numbers(8), {}, kFill, 1, 0);
    augment(later, numbers(8), {}, kFill, 1, 1);
    augment(other, numbers(8), {}, kFill, 2, 0);
    EXPECT_EQ(together, again);
    EXPECT_NE(together, later);
    EXPECT_NE(together, other);
    Tensor alone = net::rows_of(images, 5, 1);
    augment(alone, std::vector<int64_t>{16}, {}, kFill, 1, 0);
    EXPECT_EQ(alone, net::rows_of(together, 5, 1));
}

TEST(Augment, CanBeTurnedOff) {
    const Tensor images = net::random_tensor({8, 2, kSide, kSide}, 1);
    Tensor same = images;
    augment(same, numbers(8), {false, 0}, kFill, 1, 0);
    EXPECT_EQ(same, images);
    // Shifts alone mirror nothing.
    Tensor shifted = images;
    augment(shifted, numbers(8), {false, 1}, kFill, 1, 0);
    for (size_t n = 0; n < 8; ++n) {
        const float* image = images.as<float>().data() + n * 2 * kSide * kSide;
        const auto found = shifted.as<float>().subspan(n * 2 * kSide * kSide, 2 * kSide * kSide);
        bool is_shift = false;
        for (int k = 0; k < 9; ++k) {
            const auto wanted = cut_out(image, 1, k % 3, k / 3, false);
            is_shift = is_shift || std::equal(wanted.begin(), wanted.end(), found.begin());
        }
        EXPECT_TRUE(is_shift);
    }
}

}  // namespace
}  // namespace adiabat::tune
