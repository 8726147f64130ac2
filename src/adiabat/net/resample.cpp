// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/resample.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

namespace {

// The axes that scales, sizes and roi speak of.
std::vector<size_t> resized_axes(const Node& node, size_t rank, const Fail& fail) {
    auto axes = node.ints_or("axes", {});
    if (axes.empty()) {
        axes.resize(rank);
        std::iota(axes.begin(), axes.end(), 0);
    }
    std::vector<size_t> normal;
    for (int64_t given : axes) {
        const auto axis = normal_axis(given, static_cast<int64_t>(rank));
        if (!axis || std::count(normal.begin(), normal.end(), static_cast<size_t>(*axis))) {
            fail(fmt::format("axes {} of an array of {} dimensions", to_string(axes), rank));
        }
        normal.push_back(static_cast<size_t>(*axis));
    }
    return normal;
}

void check_size(int64_t size, const Fail& fail) {
    if (size < 0 || size > INT32_MAX) fail(fmt::format("a size of {}", size));
}

// With an aspect ratio to keep, one scale serves all axes.
void keep_ratio(const std::string& policy, const Shape& x, const std::vector<size_t>& axes,
                ResizeTarget& target) {
    const bool smaller = policy == "not_larger";
    double scale = smaller ? std::numeric_limits<double>::infinity() : 0;
    for (size_t axis : axes) {
        if (target.shape[axis] == kUnknown || x[axis] <= 0) {
            for (size_t a : axes) target.shape[a] = kUnknown;
            return;
        }
        const double own = static_cast<double>(target.shape[axis]) / static_cast<double>(x[axis]);
        scale = smaller ? std::min(scale, own) : std::max(scale, own);
    }
    for (size_t axis : axes) {
        target.scales[axis] = static_cast<float>(scale);
        target.shape[axis] =
            static_cast<int64_t>(std::floor(scale * static_cast<double>(x[axis]) + 0.5));
    }
}

// How a position of the result becomes a coordinate of the input.
struct Coordinates {
    std::string mode;
    float scale = 1, in = 0, out = 0;  // sizes; out as the scale has it, not rounded
    float whole_out = 0;
    float start = 0, end = 1;  // of the region of tf_crop_and_resize

    float operator()(int64_t position) const {
        const auto p = static_cast<float>(position);
        if (mode == "asymmetric") return p / scale;
        if (mode == "tf_half_pixel_for_nn") return (p + 0.5f) / scale;
        if (mode == "align_corners") return out == 1 ? 0 : p * (in - 1) / (out - 1);
        if (mode == "pytorch_half_pixel" && whole_out <= 1) return 0;
        if (mode == "tf_crop_and_resize") {
            if (whole_out <= 1) return 0.5f * (start + end) * (in - 1);
            return start * (in - 1) + p * (end - start) * (in - 1) / (whole_out - 1);
        }
        const float half_pixel = (p + 0.5f) / scale - 0.5f;
        if (mode == "half_pixel_symmetric") return in / 2 * (1 - whole_out / out) + half_pixel;
        return half_pixel;
    }
};

Coordinates coordinates_of(const Node& node, int opset, const Fail& fail) {
    Coordinates coordinates;
    const bool old = node.op == "Upsample" || opset < 11;
    coordinates.mode =
        old ? "asymmetric" : node.string_or("coordinate_transformation_mode", "half_pixel");
    for (const char* known :
         {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
          "tf_half_pixel_for_nn", "tf_crop_and_resize"}) {
        if (coordinates.mode == known) return coordinates;
    }
    fail(fmt::format("coordinate_transformation_mode '{}'", coordinates.mode));
    return coordinates;
}

int64_t nearest(const std::string& mode, float at, float scale) {
    const float floor = std::floor(at), ceil = std::ceil(at);
    if (mode == "floor") return static_cast<int64_t>(floor);
    if (mode == "ceil") return static_cast<int64_t>(ceil);
    if (mode == "simple") return static_cast<int64_t>(scale < 1 ? ceil : floor);
    const bool tie = at - floor == 0.5f;
    if (tie) return static_cast<int64_t>(mode == "round_prefer_ceil" ? ceil : floor);
    return static_cast<int64_t>(std::floor(at + 0.5f));
}

// Keys' kernel at distance x; `a` is cubic_coeff_a.
float cubic(float x, float a) {
    x = std::fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((x - 5) * x + 8) * a * x - 4 * a : 0;
}

struct Kernel {
    bool is_cubic = false, antialias = false, exclude_outside = false;
    float a = -0.75f;
};

// Weights of the taps around `at`, each beside its unclamped index.
void weigh(const Kernel& kernel, float at, float scale, int64_t in, int64_t p, AxisSampling& out) {
    const float stretch = kernel.antialias ? std::min(scale, 1.0f) : 1.0f;
    const auto base = static_cast<int64_t>(std::floor(at));
    const float ratio = at - static_cast<float>(base);
    const int64_t half = out.taps / 2;
    std::vector<float> weights;
    float sum = 0, kept = 0;
    for (int64_t t = 0; t < out.taps; ++t) {
        const int64_t offset = t - half + 1;
        const float distance = (static_cast<float>(offset) - ratio) * stretch;
        float w = kernel.is_cubic ? cubic(distance, kernel.a)
                                  : std::clamp(1 - std::fabs(distance), 0.0f, 1.0f);
        const bool outside = base + offset < 0 || base + offset >= in;
        sum += w;
        if (kernel.exclude_outside && outside) w = 0;
        kept += w;
        weights.push_back(w);
    }
    const float total = kernel.exclude_outside && kept != 0 ? kept : sum;
    const bool divides = kernel.antialias || kernel.exclude_outside;
    for (int64_t t = 0; t < out.taps; ++t) {
        const auto place = static_cast<size_t>(t * out.out + p);
        out.index[place] = std::clamp<int64_t>(base + t - half + 1, 0, in - 1);
        out.weight[place] = weights[static_cast<size_t>(t)] / (divides ? total : 1);
    }
}

}  // namespace

ResizeInputs resize_inputs(const Node& node, int opset) {
    if (node.op == "Upsample" || opset < 11) return {.scales = 1};
    return {.roi = 1, .scales = 2, .sizes = 3};
}

ResizeTarget resize_target(const Node& node, const Shape& x, const ResizeRequest& request,
                           const Fail& fail) {
    ResizeTarget target{x, std::vector<float>(x.size(), 1), std::vector<uint8_t>(x.size(), 0)};
    const auto axes = resized_axes(node, x.size(), fail);
    for (size_t axis : axes) target.moves[axis] = 1;
    const bool by_size = request.sizes.has_value();
    if (!by_size && !request.scales) {
        for (size_t axis : axes) target.shape[axis] = kUnknown;
        return target;
    }
    const size_t count = by_size ? request.sizes->size() : request.scales->size();
    if (count != axes.size()) {
        fail(fmt::format("{} {} for {} axes", count, by_size ? "sizes" : "scales", axes.size()));
    }
    for (size_t k = 0; k < axes.size(); ++k) {
        int64_t& size = target.shape[axes[k]];
        float& scale = target.scales[axes[k]];
        if (by_size) {
            const int64_t wanted = (*request.sizes)[k].value_or(kUnknown);
            if (wanted != kUnknown) check_size(wanted, fail);
            if (wanted > 0 && size > 0)
                scale = static_cast<float>(wanted) / static_cast<float>(size);
            size = wanted;
            continue;
        }
        scale = (*request.scales)[k];
        if (!(scale > 0) || !std::isfinite(scale)) fail(fmt::format("a scale of {}", scale));
        if (size == kUnknown) continue;
        const float exact = scale * static_cast<float>(size);
        if (!(exact < static_cast<float>(INT32_MAX))) fail(fmt::format("a scale of {}", scale));
        size = static_cast<int64_t>(std::floor(exact));
    }
    const std::string policy = node.string_or("keep_aspect_ratio_policy", "stretch");
    if (by_size && policy != "stretch") {
        if (policy != "not_larger" && policy != "not_smaller") {
            fail(fmt::format("keep_aspect_ratio_policy '{}'", policy));
        }
        keep_ratio(policy, x, axes, target);
    }
    return target;
}

std::vector<AxisSampling> resize_sampling(const Node& node, int opset, const Shape& x,
                                          const ResizeTarget& target, const ResizeRequest& request,
                                          const Fail& fail) {
    const bool old = node.op == "Upsample" || opset < 11;
    std::string mode = node.string_or("mode", "nearest");
    if (mode == "bilinear" || mode == "trilinear") mode = "linear";
    if (mode == "bicubic") mode = "cubic";
    if (mode != "nearest" && mode != "linear" && mode != "cubic") {
        fail(fmt::format("mode '{}'; known are nearest, linear and cubic", mode));
    }
    const std::string rounding =
        old ? "simple" : node.string_or("nearest_mode", "round_prefer_floor");
    const Kernel kernel{mode == "cubic", node.int_or("antialias", 0) != 0,
                        node.int_or("exclude_outside", 0) != 0,
                        node.float_or("cubic_coeff_a", -0.75f)};
    Coordinates coordinates = coordinates_of(node, opset, fail);
    const bool crops = coordinates.mode == "tf_crop_and_resize";
    const auto axes = resized_axes(node, x.size(), fail);
    if (crops && request.roi.size() != 2 * axes.size()) {
        fail(fmt::format("a region of {} numbers for {} axes", request.roi.size(), axes.size()));
    }
    std::vector<AxisSampling> result;
    for (size_t k = 0; k < axes.size(); ++k) {
        AxisSampling along;
        along.axis = static_cast<int64_t>(axes[k]);
        along.in = x[axes[k]];
        along.out = target.shape[axes[k]];
        const float scale = target.scales[axes[k]];
        coordinates.scale = scale;
        coordinates.in = static_cast<float>(along.in);
        coordinates.whole_out = static_cast<float>(along.out);
        coordinates.out = scale * coordinates.in;
        if (crops) {
            coordinates.start = request.roi[k];
            coordinates.end = request.roi[k + axes.size()];
            // Beyond that, positions are no integers.
            if (!(std::fabs(coordinates.start) < 1e6f) || !(std::fabs(coordinates.end) < 1e6f)) {
                fail("a region out of range");
            }
        }
        const bool stays = along.in == along.out && scale == 1 &&
                           !(crops && (coordinates.start != 0 || coordinates.end != 1));
        if (stays || along.out == 0) continue;
        if (along.in == 0) fail("nothing to make a larger array of");
        const float least = 1.0f / static_cast<float>(INT32_MAX);
        if (scale < least) fail(fmt::format("a scale of {}", scale));
        const float width = mode == "cubic" ? 2.0f : 1.0f;
        const float stretch = kernel.antialias ? std::min(scale, 1.0f) : 1.0f;
        along.taps = mode == "nearest" ? 1 : 2 * static_cast<int64_t>(std::ceil(width / stretch));
        const auto entries = static_cast<size_t>(along.taps * along.out);
        along.index.resize(entries);
        if (mode != "nearest") along.weight.resize(entries);
        if (crops) along.outside.resize(static_cast<size_t>(along.out));
        for (int64_t p = 0; p < along.out; ++p) {
            const float at = coordinates(p);
            if (crops) {
                along.outside[static_cast<size_t>(p)] = at < 0 || at > coordinates.in - 1;
            }
            if (mode == "nearest") {
                along.index[static_cast<size_t>(p)] =
                    std::clamp<int64_t>(nearest(rounding, at, scale), 0, along.in - 1);
            } else {
                weigh(kernel, at, scale, along.in, p, along);
            }
        }
        result.push_back(std::move(along));
    }
    return result;
}

}  // namespace adiabat::net
