// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/decode.h"

#include <algorithm>
#include <cstdlib>

#include "adiabat/base/random.h"
#include "adiabat/data/pictures.test.h"

namespace adiabat::data {
namespace {

int largest_difference(const Raster& a, const Raster& b) {
    EXPECT_EQ(a.size, b.size);
    EXPECT_EQ(a.channels, b.channels);
    int largest = 0;
    for (size_t k = 0; k < a.samples.size(); ++k) {
        largest = std::max(largest, std::abs(a.samples[k] - b.samples[k]));
    }
    return largest;
}

// A copy of exactly that many bytes: reading on is an error that sanitizers see.
std::vector<uint8_t> first_of(const std::vector<uint8_t>& file, size_t count) {
    return {file.begin(), file.begin() + static_cast<std::ptrdiff_t>(count)};
}

TEST(Decode, PngGivesBackWhatWasWritten) {
    for (const int64_t channels : {1, 3}) {
        for (const bool interlaced : {false, true}) {
            const Raster image = picture(19, 30, channels);
            const auto file = png_of(image, interlaced);
            EXPECT_EQ(image_size(file, "a"), image.size);
            EXPECT_EQ(decode_image(file, "a"), image);
        }
    }
}

TEST(Decode, AlphaIsDropped) {
    for (const int64_t channels : {1, 3}) {
        const Raster image = picture(9, 12, channels);
        Raster clear({9, 12}, channels + 1);
        for (size_t k = 0; k < clear.samples.size(); ++k) {
            const size_t pixel = k / static_cast<size_t>(channels + 1);
            const size_t c = k % static_cast<size_t>(channels + 1);
            const bool alpha = c == static_cast<size_t>(channels);
            clear.samples[k] = alpha ? static_cast<uint8_t>(pixel)
                                     : image.samples[pixel * static_cast<size_t>(channels) + c];
        }
        EXPECT_EQ(decode_image(png_of(clear), "a"), image);
    }
}

TEST(Decode, JpegIsNearWhatWasWritten) {
    for (const int64_t channels : {1, 3}) {
        for (const bool progressive : {false, true}) {
            const Raster image = picture(35, 26, channels);
            const auto file = jpeg_of(image, progressive);
            EXPECT_EQ(image_size(file, "a"), image.size);
            EXPECT_LE(largest_difference(decode_image(file, "a"), image), 12);
        }
    }
}

TEST(Decode, InksBecomeLight) {
    // Inverted, as Adobe stores them: these samples are light that is left, 255 for no ink.
    Raster inks({8, 8}, 4), light({8, 8}, 3);
    for (size_t k = 0; k < 64; ++k) {
        const uint8_t stored[4] = {255, 128, 0, 200};
        std::ranges::copy(stored, inks.samples.data() + 4 * k);
        const uint8_t seen[3] = {200, 100, 0};
        std::ranges::copy(seen, light.samples.data() + 3 * k);
    }
    EXPECT_LE(largest_difference(decode_image(jpeg_of(inks), "a"), light), 3);
}

TEST(Decode, EveryTruncationIsRefused) {
    const Raster image = picture(11, 14, 3);
    for (const auto& file :
         {png_of(image), png_of(image, true), jpeg_of(image), jpeg_of(image, true)}) {
        ASSERT_NO_THROW(decode_image(file, "a"));
        for (size_t count = 0; count < file.size(); ++count) {
            ASSERT_THROW(decode_image(first_of(file, count), "a"), InputError)
                << count << " of " << file.size();
        }
    }
    EXPECT_REFUSED(decode_image(first_of(png_of(image), 60), "a"), "a: broken PNG: trunc");
    EXPECT_REFUSED(decode_image(first_of(jpeg_of(image), 400), "a"), "a: broken JPEG: truncated");
}

TEST(Decode, ChangedBytesAreDecodedOrRefused) {
    const Raster image = picture(11, 14, 3);
    Random random(7);
    for (const auto& file :
         {png_of(image), png_of(image, true), jpeg_of(image), jpeg_of(image, true)}) {
        for (int k = 0; k < 1500; ++k) {
            auto changed = file;
            for (uint32_t n = random.below(3) + 1; n > 0; --n) {
                changed[random.below(static_cast<uint32_t>(file.size()))] =
                    static_cast<uint8_t>(random());
            }
            try {
                const Raster decoded = decode_image(changed, "a");
                EXPECT_EQ(std::ssize(decoded.samples),
                          decoded.size.height * decoded.size.width * decoded.channels);
            } catch (const InputError&) {  // as well
            }
        }
    }
}

TEST(Decode, HugeSizesAreRefusedBeforeMemoryIsTaken) {
    auto file = jpeg_of(picture(8, 8, 3));
    const uint8_t frame[] = {0xff, 0xc0};
    const auto found = std::search(file.begin(), file.end(), frame, frame + 2);
    ASSERT_NE(found, file.end());
    for (int k = 5; k < 9; ++k) found[k] = 0xf0;
    EXPECT_REFUSED(decode_image(file, "a"), "a: is 61680 x 61680 pixels (height x width)");
}

TEST(Decode, ScansAreCounted) {
    // The first scan, once more and again; each copy only warns of a progression that is none.
    const auto file = jpeg_of(picture(16, 16, 3), true);
    const uint8_t scan[] = {0xff, 0xda};
    const auto first = std::search(file.begin(), file.end(), scan, scan + 2);
    auto last = first + 2;
    while (!(last[0] == 0xff && last[1] != 0)) ++last;
    for (const int copies : {kMostScans / 2, kMostScans + 1}) {
        std::vector<uint8_t> longer(file.begin(), last);
        for (int k = 0; k < copies; ++k) longer.insert(longer.end(), first, last);
        longer.insert(longer.end(), last, file.end());
        if (copies < kMostScans) {
            EXPECT_NO_THROW(decode_image(longer, "a"));
        } else {
            EXPECT_REFUSED(decode_image(longer, "a"), "a: broken JPEG: has too many scans");
        }
    }
}

TEST(Decode, OtherFilesAreRefused) {
    EXPECT_REFUSED(decode_image({}, "a"), "a: is empty");
    EXPECT_REFUSED(decode_image(ramp(200), "a"), "a: is neither JPEG nor PNG");
    EXPECT_REFUSED(image_size(ramp(200), "a"), "a: is neither JPEG nor PNG");
}

TEST(Raster, LuminanceAndPlanes) {
    Raster image({1, 3}, 3);
    image.samples = {255, 0, 0, 0, 255, 0, 10, 20, 30};
    // 0.299 R + 0.587 G + 0.114 B
    EXPECT_EQ(to_gray(image).samples, (std::vector<uint8_t>{76, 150, 18}));
    std::vector<uint8_t> planes(9);
    to_planes(image, 3, planes.data());
    EXPECT_EQ(planes, (std::vector<uint8_t>{255, 0, 10, 0, 255, 20, 0, 0, 30}));
    to_planes(to_gray(image), 3, planes.data());
    EXPECT_EQ(planes, (std::vector<uint8_t>{76, 150, 18, 76, 150, 18, 76, 150, 18}));
}

}  // namespace
}  // namespace adiabat::data
