// SPDX-License-Identifier: Apache-2.0
#include "adiabat/data/resample.h"

#include <algorithm>
#include <cmath>

#include "adiabat/base/errors.h"

namespace adiabat::data {

namespace {

constexpr int kFraction = 22;  // bits of a weight: 8 for a pixel and 2 for overshoot remain of 32

double triangle(double x) {
    x = std::abs(x);
    return x < 1 ? 1 - x : 0;
}

double cubic(double x) {
    constexpr double a = -0.5;
    x = std::abs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

// Weights of the inputs first .. first + count - 1 for each output.
struct Kernel {
    struct Span {
        int64_t first = 0, count = 0;
    };
    std::vector<Span> spans;
    std::vector<int32_t> weights;  // `stride` for each output
    int64_t stride = 0;
};

Kernel kernel_of(int64_t in, int64_t out, Interpolation interpolation) {
    const auto filter = interpolation == Interpolation::kBicubic ? cubic : triangle;
    const double scale = static_cast<double>(in) / static_cast<double>(out);
    const double stretch = std::max(scale, 1.0);
    const double support = (interpolation == Interpolation::kBicubic ? 2.0 : 1.0) * stretch;
    Kernel kernel;
    kernel.stride = static_cast<int64_t>(std::ceil(support)) * 2 + 1;
    kernel.weights.resize(static_cast<size_t>(out * kernel.stride));
    std::vector<double> exact(static_cast<size_t>(kernel.stride));
    for (int64_t x = 0; x < out; ++x) {
        const double center = (static_cast<double>(x) + 0.5) * scale;
        const auto first = static_cast<int64_t>(std::max(center - support + 0.5, 0.0));
        const auto end = std::min(static_cast<int64_t>(std::floor(center + support + 0.5)), in);
        const auto count = static_cast<size_t>(end - first);
        double sum = 0;
        for (size_t k = 0; k < count; ++k) {
            const double place = static_cast<double>(first) + static_cast<double>(k);
            exact[k] = filter((place - center + 0.5) * (1.0 / stretch));
            sum += exact[k];
        }
        int32_t* const weights = kernel.weights.data() + x * kernel.stride;
        for (size_t k = 0; k < count; ++k) {
            const double weight = (sum != 0 ? exact[k] / sum : exact[k]) * (1 << kFraction);
            weights[k] = static_cast<int32_t>(weight < 0 ? weight - 0.5 : weight + 0.5);
        }
        kernel.spans.push_back({first, static_cast<int64_t>(count)});
    }
    return kernel;
}

uint8_t rounded(int32_t sum) {
    return static_cast<uint8_t>(std::clamp(sum >> kFraction, int32_t{0}, int32_t{255}));
}

template <int kChannels>
Raster resample_rows(const Raster& image, int64_t width, Interpolation interpolation) {
    const Kernel kernel = kernel_of(image.size.width, width, interpolation);
    Raster out({image.size.height, width}, kChannels);
    uint8_t* to = out.samples.data();
    for (int64_t y = 0; y < image.size.height; ++y) {
        const uint8_t* const row = image.samples.data() + y * image.size.width * kChannels;
        for (int64_t x = 0; x < width; ++x) {
            const auto& span = kernel.spans[static_cast<size_t>(x)];
            const int32_t* const weights = kernel.weights.data() + x * kernel.stride;
            const uint8_t* from = row + span.first * kChannels;
            int32_t sums[kChannels];
            std::ranges::fill(sums, 1 << (kFraction - 1));
            for (int64_t k = 0; k < span.count; ++k, from += kChannels) {
                for (int c = 0; c < kChannels; ++c) sums[c] += weights[k] * from[c];
            }
            for (const int32_t sum : sums) *to++ = rounded(sum);
        }
    }
    return out;
}

// Rows are added up whole: a row of sums is read and written many times, and stays in the cache.
Raster resample_columns(const Raster& image, int64_t height, Interpolation interpolation) {
    const Kernel kernel = kernel_of(image.size.height, height, interpolation);
    Raster out({height, image.size.width}, image.channels);
    const auto row = static_cast<size_t>(image.size.width * image.channels);
    std::vector<int32_t> sums(row);
    uint8_t* to = out.samples.data();
    for (int64_t y = 0; y < height; ++y) {
        const auto& span = kernel.spans[static_cast<size_t>(y)];
        std::ranges::fill(sums, 1 << (kFraction - 1));
        for (int64_t k = 0; k < span.count; ++k) {
            const int32_t weight = kernel.weights[static_cast<size_t>(y * kernel.stride + k)];
            const uint8_t* const from =
                image.samples.data() + static_cast<size_t>(span.first + k) * row;
            for (size_t x = 0; x < row; ++x) sums[x] += weight * from[x];
        }
        for (const int32_t sum : sums) *to++ = rounded(sum);
    }
    return out;
}

// The input of each output; the place is summed up step by step, so that its rounding is Pillow's.
std::vector<int64_t> nearest(int64_t in, int64_t out) {
    const double step = static_cast<double>(in) / static_cast<double>(out);
    std::vector<int64_t> places;
    double place = step * 0.5;
    for (int64_t x = 0; x < out; ++x, place += step) {
        places.push_back(std::min(static_cast<int64_t>(place), in - 1));
    }
    return places;
}

Raster resample_nearest(const Raster& image, RasterSize to) {
    const auto rows = nearest(image.size.height, to.height);
    const auto columns = nearest(image.size.width, to.width);
    Raster out(to, image.channels);
    uint8_t* sample = out.samples.data();
    for (const int64_t y : rows) {
        const uint8_t* const row = image.samples.data() + y * image.size.width * image.channels;
        for (const int64_t x : columns) {
            sample = std::copy_n(row + x * image.channels, image.channels, sample);
        }
    }
    return out;
}

}  // namespace

std::string_view name_of(Interpolation interpolation) {
    switch (interpolation) {
        case Interpolation::kNearest:
            return "nearest";
        case Interpolation::kBilinear:
            return "bilinear";
        case Interpolation::kBicubic:
            return "bicubic";
    }
    return "";
}

Interpolation parse_interpolation(std::string_view name) {
    for (const auto interpolation :
         {Interpolation::kNearest, Interpolation::kBilinear, Interpolation::kBicubic}) {
        if (name == name_of(interpolation)) return interpolation;
    }
    throw InputError("interpolation \"{}\": expected bilinear, bicubic or nearest", name);
}

Raster resample(const Raster& image, RasterSize to, Interpolation interpolation) {
    if (image.size == to) return image;
    if (interpolation == Interpolation::kNearest) return resample_nearest(image, to);
    Raster out = image;
    if (to.width != image.size.width) {
        out = image.channels == 1 ? resample_rows<1>(image, to.width, interpolation)
                                  : resample_rows<3>(image, to.width, interpolation);
    }
    if (to.height != out.size.height) out = resample_columns(out, to.height, interpolation);
    return out;
}

}  // namespace adiabat::data
