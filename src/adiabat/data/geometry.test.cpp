// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/geometry.h"

#include <algorithm>
#include <cmath>

#include "adiabat/data/pictures.test.h"

namespace adiabat::data {
namespace {

// One pass over the rows from the formula, in double.
Raster naive_rows(const Raster& image, int64_t width) {
    Raster out({image.size.height, width}, image.channels);
    const double scale = static_cast<double>(image.size.width) / static_cast<double>(width);
    const double stretch = std::max(scale, 1.0);
    for (int64_t y = 0; y < image.size.height; ++y) {
        for (int64_t x = 0; x < width; ++x) {
            for (int64_t c = 0; c < image.channels; ++c) {
                double sum = 0, weights = 0;
                for (int64_t k = 0; k < image.size.width; ++k) {
                    const double place =
                        (static_cast<double>(k) + 0.5) - (static_cast<double>(x) + 0.5) * scale;
                    const double weight = std::max(0.0, 1 - std::abs(place) / stretch);
                    const int64_t at = (y * image.size.width + k) * image.channels + c;
                    sum += weight * image.samples[static_cast<size_t>(at)];
                    weights += weight;
                }
                out.samples[static_cast<size_t>((y * width + x) * image.channels + c)] =
                    static_cast<uint8_t>(std::floor(sum / weights + 0.5));
            }
        }
    }
    return out;
}

Raster turned(const Raster& image) {
    Raster out({image.size.width, image.size.height}, image.channels);
    for (int64_t y = 0; y < image.size.height; ++y) {
        for (int64_t x = 0; x < image.size.width; ++x) {
            std::copy_n(image.samples.data() + (y * image.size.width + x) * image.channels,
                        image.channels,
                        out.samples.data() + (x * image.size.height + y) * image.channels);
        }
    }
    return out;
}

TEST(Resample, IsWithinALevelOfTheFormula) {
    for (const int64_t channels : {1, 3}) {
        const Raster image = picture(23, 37, channels);
        for (const RasterSize size :
             {RasterSize{23, 10}, {11, 37}, {7, 9}, {50, 60}, {1, 1}, {40, 5}, {23, 38}}) {
            const Raster expected =
                turned(naive_rows(turned(naive_rows(image, size.width)), size.height));
            const Raster got = resample(image, size, Interpolation::kBilinear);
            ASSERT_EQ(got.size, size);
            for (size_t k = 0; k < got.samples.size(); ++k) {
                ASSERT_NEAR(got.samples[k], expected.samples[k], 1) << k;
            }
        }
    }
}

TEST(Resample, KeepsWhatIsFlat) {
    Raster flat({13, 17}, 3);
    std::ranges::fill(flat.samples, 255);
    for (const auto how :
         {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kBicubic}) {
        const Raster got = resample(flat, {31, 4}, how);
        EXPECT_TRUE(std::ranges::all_of(got.samples, [](uint8_t s) { return s == 255; }));
        EXPECT_EQ(resample(flat, flat.size, how), flat);
    }
}

TEST(Resample, SmallCases) {
    Raster image({1, 4}, 1);
    image.samples = {0, 100, 200, 40};
    const auto row = [&](int64_t width, Interpolation how) {
        return resample(image, {1, width}, how).samples;
    };
    EXPECT_EQ(row(2, Interpolation::kNearest), (std::vector<uint8_t>{100, 40}));
    EXPECT_EQ(row(8, Interpolation::kNearest),
              (std::vector<uint8_t>{0, 0, 100, 100, 200, 200, 40, 40}));
    // Weights 3, 3, 1 of 7 around 1, mirrored around 3.
    EXPECT_EQ(row(2, Interpolation::kBilinear), (std::vector<uint8_t>{71, 117}));
    EXPECT_EQ(row(8, Interpolation::kBilinear)[1], 25);
    // Overshoots below 0 and is cut off there.
    EXPECT_EQ(row(8, Interpolation::kBicubic)[0], 0);
    for (const char* name : {"nearest", "bilinear", "bicubic"}) {
        EXPECT_EQ(name_of(parse_interpolation(name)), name);
    }
    EXPECT_REFUSED(parse_interpolation("lanczos"), "expected bilinear, bicubic or nearest");
}

TEST(Geometry, SizesAreTorchvisions) {
    const auto after = [](SizeWish wish, RasterSize size) {
        return Geometry{wish, {}, Interpolation::kBilinear}.size_after(size, "a");
    };
    EXPECT_EQ(after({256, 0}, {375, 500}), (RasterSize{256, 341}));
    EXPECT_EQ(after({256, 0}, {500, 375}), (RasterSize{341, 256}));
    EXPECT_EQ(after({256, 0}, {256, 1000}), (RasterSize{256, 1000}));
    EXPECT_EQ(after({20, 30}, {500, 375}), (RasterSize{20, 30}));
    EXPECT_REFUSED(after({256, 0}, {2, 60000}), "a, resized: is 256 x 7680000 pixels");
    EXPECT_EQ(Geometry{}.size_after({3, 4}, "a"), (RasterSize{3, 4}));
    EXPECT_EQ((Geometry{SizeWish{9, 0}, SizeWish{7, 0}}.fixed_size()), (RasterSize{7, 7}));
    EXPECT_EQ((Geometry{SizeWish{9, 8}, {}}.fixed_size()), (RasterSize{9, 8}));
    EXPECT_EQ((Geometry{SizeWish{9, 0}, {}}.fixed_size()), std::nullopt);
}

// The samples of a 1 x n image, 1 to n, cropped to one row of `width`.
std::vector<uint8_t> crop_row(int64_t n, int64_t width) {
    Raster image({1, n}, 1);
    for (size_t k = 0; k < image.samples.size(); ++k)
        image.samples[k] = static_cast<uint8_t>(k + 1);
    return apply(Geometry{{}, SizeWish{1, width}}, image, "a").samples;
}

TEST(Geometry, CropsTheMiddleAndPads) {
    EXPECT_EQ(crop_row(5, 3), (std::vector<uint8_t>{2, 3, 4}));
    EXPECT_EQ(crop_row(6, 3), (std::vector<uint8_t>{3, 4, 5}));  // 1.5 to 2
    EXPECT_EQ(crop_row(4, 3), (std::vector<uint8_t>{1, 2, 3}));  // 0.5 to 0
    EXPECT_EQ(crop_row(2, 5), (std::vector<uint8_t>{0, 1, 2, 0, 0}));
    EXPECT_EQ(crop_row(2, 2), (std::vector<uint8_t>{1, 2}));
    Raster tall({4, 1}, 3);
    std::ranges::fill(tall.samples, 9);
    const Raster got = apply(Geometry{{}, SizeWish{2, 3}}, tall, "a");
    EXPECT_EQ(got.samples,
              (std::vector<uint8_t>{0, 0, 0, 9, 9, 9, 0, 0, 0, 0, 0, 0, 9, 9, 9, 0, 0, 0}));
}

TEST(Geometry, ReadsSizes) {
    EXPECT_EQ(parse_size("256", "--resize"), (SizeWish{256, 0}));
    EXPECT_EQ(parse_size("224x192", "--resize"), (SizeWish{224, 192}));
    for (const char* text :
         {"", "x", "0", "4x", "x4", "4x5x6", "-4", "65536", "4.5", " 4", "4 x 5"}) {
        EXPECT_REFUSED(parse_size(text, "--resize"), "--resize: ") << text;
    }
    EXPECT_EQ(size_from_json(Json::parse("[3, 4]"), "f"), (SizeWish{3, 4}));
    EXPECT_EQ(size_from_json(Json::parse("\"3x4\""), "f"), (SizeWish{3, 4}));
    EXPECT_EQ(size_from_json(to_json(SizeWish{5, 0}), "f"), (SizeWish{5, 0}));
    for (const char* json : {"null", "[3]", "[3, 4, 5]", "2.5", "{}", "[3, 0]", "true"}) {
        EXPECT_REFUSED(size_from_json(Json::parse(json), "f"), "f: ") << json;
    }
}

}  // namespace
}  // namespace adiabat::data
