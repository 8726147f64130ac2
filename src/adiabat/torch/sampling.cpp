// SPDX-License-Identifier: Apache-2.0
//
// Operators that sample or regroup space: Resize, GridSample, DeformConv, DepthToSpace and kin.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/net/resample.h"
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

net::Fail refusal(const Call& call) {
    return [&call](const std::string& what) { call.refuse(what); };
}

// ---- Resize

std::vector<float> floats_of(const Tensor& x) {
    const Tensor values = x.to(at::kFloat).contiguous();
    return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

net::ResizeRequest request_of(const Call& call, const net::ResizeInputs& places) {
    // An input that is there but empty counts as left out.
    const auto given = [&](size_t k) { return call.given(k) && call.in[k].numel() > 0; };
    net::ResizeRequest request;
    if (call.node.op == "Upsample" && call.node.has("scales")) {
        request.scales = call.node.floats_or("scales", {});
    } else if (given(places.scales)) {
        request.scales = floats_of(call.in[places.scales]);
    }
    if (given(places.sizes)) {
        const auto sizes = call.ints(places.sizes, "");
        request.sizes = {sizes.begin(), sizes.end()};
    }
    if (given(places.roi)) request.roi = floats_of(call.in[places.roi]);
    if (!request.sizes && !request.scales) call.refuse("neither scales nor sizes");
    return request;
}

// Whether LibTorch's nearest upsampling takes the same elements.
bool is_native_nearest(const net::AxisSampling& s) {
    const float scale = static_cast<float>(s.in) / static_cast<float>(s.out);
    if (s.taps != 1 || !s.outside.empty()) return false;
    for (int64_t p = 0; p < s.out; ++p) {
        const auto at = static_cast<int64_t>(std::floor(static_cast<float>(p) * scale));
        if (s.index[static_cast<size_t>(p)] != std::min(at, s.in - 1)) return false;
    }
    return true;
}

// Whether its bilinear upsampling has the same weights.
bool is_native_linear(const net::AxisSampling& s, bool align_corners) {
    if (s.taps != 2 || !s.outside.empty()) return false;
    for (int64_t p = 0; p < s.out; ++p) {
        const auto in = static_cast<double>(s.in), out = static_cast<double>(s.out);
        double at = (static_cast<double>(p) + 0.5) * in / out - 0.5;
        if (align_corners) at = s.out > 1 ? static_cast<double>(p) * (in - 1) / (out - 1) : 0;
        double own = 0;
        for (int64_t t = 0; t < 2; ++t) {
            const auto place = static_cast<size_t>(t * s.out + p);
            own += static_cast<double>(s.index[place]) * static_cast<double>(s.weight[place]);
        }
        if (std::fabs(own - std::clamp(at, 0.0, in - 1)) > 1e-5 * in) return false;
    }
    return true;
}

// The two spatial axes at once, in the order of channels that convolutions leave; undefined where
// LibTorch means something else.
Tensor resized_natively(const Tensor& x, const std::vector<net::AxisSampling>& along) {
    if (x.dim() != 4 || x.scalar_type() != at::kFloat || along.size() != 2 || along[0].axis != 2 ||
        along[1].axis != 3 || x.numel() == 0) {
        return {};
    }
    const std::vector<int64_t> size = {along[0].out, along[1].out};
    const auto all = [&](auto fits) { return std::all_of(along.begin(), along.end(), fits); };
    if (all(is_native_nearest)) return at::upsample_nearest2d(x, size);
    for (const bool align : {false, true}) {
        if (all([&](const auto& s) { return is_native_linear(s, align); })) {
            return at::upsample_bilinear2d(x, size, align);
        }
    }
    return {};
}

// out[.., p, ..] = sum over taps of weight x[.., index, ..]
Tensor resampled(const Tensor& x, const net::AxisSampling& s) {
    const Tensor index = at::tensor(s.index, at::kLong);
    if (s.weight.empty()) return x.index_select(s.axis, index);
    if (s.taps > 8) {  // a matrix is smaller than so many copies
        const Tensor weight = at::tensor(s.weight, x.scalar_type()).reshape({s.taps, s.out});
        const Tensor matrix = at::zeros({s.in, s.out}, x.options());
        const Tensor columns = at::arange(s.out, at::kLong).expand({s.taps, s.out});
        matrix.view({-1}).index_add_(
            0, (index.reshape({s.taps, s.out}) * s.out + columns).flatten(), weight.flatten());
        return at::matmul(x.movedim(s.axis, -1), matrix).movedim(-1, s.axis);
    }
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
    shape[static_cast<size_t>(s.axis)] = s.out;
    Tensor sum;
    for (int64_t t = 0; t < s.taps; ++t) {
        const auto begin = s.weight.begin() + t * s.out;
        const Tensor weight =
            at::tensor(std::vector<float>(begin, begin + s.out), x.scalar_type()).reshape(shape);
        const Tensor term = x.index_select(s.axis, index.narrow(0, t * s.out, s.out)) * weight;
        sum = sum.defined() ? sum + term : term;
    }
    return sum;
}

// Types of whole numbers that are carried as floats.
bool is_code(net::DType type) {
    using net::DType;
    return type == DType::kUint8 || type == DType::kInt8 || type == DType::kUint16 ||
           type == DType::kInt16;
}

bool is_whole(const Tensor& x) { return !at::isFloatingType(x.scalar_type()); }

Tensors resize(const Call& call) {
    const Tensor& x = call.in[0];
    const net::Shape shape = x.sizes().vec();
    const net::Fail fail = refusal(call);
    const auto request = request_of(call, net::resize_inputs(call.node, call.opset));
    const auto target = net::resize_target(call.node, shape, request, fail);
    int64_t count = 1;
    for (int64_t size : target.shape) {
        if (__builtin_mul_overflow(count, size, &count) || count > kMostElements) {
            call.refuse(
                fmt::format("a result of shape {} is too large", net::to_string(target.shape)));
        }
    }
    if (count == 0) return {at::zeros(target.shape, x.options())};
    const auto along = net::resize_sampling(call.node, call.opset, shape, target, request, fail);
    if (const Tensor y = resized_natively(x, along); y.defined()) return {y};
    const bool weighs =
        std::any_of(along.begin(), along.end(), [](const auto& s) { return !s.weight.empty(); });
    Tensor y = weighs && is_whole(x) ? x.to(at::kDouble) : x;
    for (const auto& s : along) y = resampled(y, s);
    if (weighs && is_code(call.out_type)) {
        const auto [low, high] = code_range(call.out_type);
        y = at::clamp(at::round(y), low, high);
    }
    for (const auto& s : along) {
        if (s.outside.empty()) continue;
        std::vector<int64_t> wide(shape.size(), 1);
        wide[static_cast<size_t>(s.axis)] = s.out;
        const Tensor outside =
            at::tensor(std::vector<int64_t>(s.outside.begin(), s.outside.end()), at::kLong)
                .reshape(wide)
                .to(at::kBool);
        y = y.masked_fill(outside, call.node.float_or("extrapolation_value", 0));
    }
    return {y.to(x.scalar_type())};
}

// ---- blocks

int64_t block_of(const Call& call) {
    const int64_t block = call.node.int_or("blocksize", 0);
    if (block < 1 || block > (1 << 15) || call.in[0].dim() != 4) {
        call.refuse(fmt::format("blocks of {} in {} dimensions", block, call.in[0].dim()));
    }
    return block;
}

Tensors depth_to_space(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t b = block_of(call), n = x.size(0), h = x.size(2), w = x.size(3);
    const int64_t c = x.size(1) / (b * b);
    if (x.size(1) % (b * b) != 0) call.refuse(fmt::format("{} channels in blocks", x.size(1)));
    const Tensor y = call.node.string_or("mode", "DCR") == "CRD"
                         ? x.reshape({n, c, b, b, h, w}).permute({0, 1, 4, 2, 5, 3})
                         : x.reshape({n, b, b, c, h, w}).permute({0, 3, 4, 1, 5, 2});
    return {y.reshape({n, c, h * b, w * b})};
}

Tensors space_to_depth(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t b = block_of(call), n = x.size(0), c = x.size(1);
    if (x.size(2) % b != 0 || x.size(3) % b != 0) {
        call.refuse(fmt::format("{} by {} in blocks of {}", x.size(2), x.size(3), b));
    }
    const int64_t h = x.size(2) / b, w = x.size(3) / b;
    const Tensor blocks = x.reshape({n, c, h, b, w, b});
    const Tensor y = call.node.string_or("mode", "DCR") == "CRD"
                         ? blocks.permute({0, 1, 3, 5, 2, 4})
                         : blocks.permute({0, 3, 5, 1, 2, 4});
    return {y.reshape({n, c * b * b, h, w})};
}

// ---- grids

// The grid with every coordinate moved to the middle of its pixel, ties to the even one; LibTorch
// rounds them away from zero in three dimensions.
Tensor rounded_grid(const Tensor& grid, const Tensor& x, bool align) {
    std::vector<double> sizes;  // the last axis comes first in a grid
    for (int64_t d = x.dim() - 1; d >= 2; --d) sizes.push_back(static_cast<double>(x.size(d)));
    const Tensor n = at::tensor(sizes, grid.scalar_type());
    if (align) {
        const Tensor last = at::clamp_min(n - 1, 1);
        return at::round((grid + 1) / 2 * (n - 1)) * 2 / last - 1;
    }
    return (at::round(((grid + 1) * n - 1) / 2) * 2 + 1) / n - 1;
}

Tensors grid_sample(const Call& call) {
    const Tensor &x = call.in[0], &grid = call.in[1];
    const std::string mode = call.node.string_or("mode", call.opset < 20 ? "bilinear" : "linear");
    const std::string padding = call.node.string_or("padding_mode", "zeros");
    const int64_t how = mode == "bilinear" || mode == "linear" ? 0
                        : mode == "nearest"                    ? 1
                        : mode == "bicubic" || mode == "cubic" ? 2
                                                               : -1;
    const int64_t beyond = padding == "zeros"        ? 0
                           : padding == "border"     ? 1
                           : padding == "reflection" ? 2
                                                     : -1;
    if (how < 0 || beyond < 0) call.refuse(fmt::format("mode '{}', padding '{}'", mode, padding));
    const bool align = call.node.int_or("align_corners", 0) != 0;
    const Tensor places = grid.to(x.scalar_type());
    if (x.dim() == 4) return {at::grid_sampler_2d(x, places, how, beyond, align)};
    if (x.dim() == 5 && how == 0) return {at::grid_sampler_3d(x, places, how, beyond, align)};
    if (x.dim() == 5 && how == 1) {
        return {at::grid_sampler_3d(x, rounded_grid(places, x, align), how, beyond, align)};
    }
    call.refuse(fmt::format("{} over {} dimensions", mode, x.dim()));
}

// -1 .. 1 over n pixels: from the middle of the first to that of the last, or edge to edge.
Tensor normal_coordinates(int64_t n, bool align, const Tensor& like) {
    const Tensor at = at::arange(n, like.options());
    if (!align) return (at * 2 + 1) / static_cast<double>(n) - 1;
    return n > 1 ? at * (2.0 / static_cast<double>(n - 1)) - 1 : at - 1;
}

Tensors affine_grid(const Call& call) {
    const Tensor& theta = call.in[0];
    const auto size = call.ints(1, "");
    const size_t n = size.size() < 2 ? 0 : size.size() - 2;
    if ((n != 2 && n != 3) || theta.dim() != 3 || theta.size(1) != static_cast<int64_t>(n)) {
        call.refuse(fmt::format("a grid of size {}", net::to_string(size)));
    }
    int64_t count = size[0];
    for (size_t k = 0; k < n; ++k) {
        if (size[k + 2] < 1 || __builtin_mul_overflow(count, size[k + 2], &count) ||
            count > kMostElements) {
            call.refuse(fmt::format("a grid of size {}", net::to_string(size)));
        }
    }
    const bool align = call.node.int_or("align_corners", 0) != 0;
    const std::vector<int64_t> space(size.begin() + 2, size.end());
    std::vector<Tensor> parts;  // x, y, (z), 1: the last axis first
    for (size_t k = n; k-- > 0;) {
        std::vector<int64_t> shape(n, 1);
        shape[k] = space[k];
        parts.push_back(
            normal_coordinates(space[k], align, theta).reshape(shape).expand(space).flatten());
    }
    parts.push_back(at::ones_like(parts[0]));
    const Tensor y = at::matmul(at::stack(parts, 1).unsqueeze(0), theta.transpose(1, 2));
    std::vector<int64_t> shape = {theta.size(0)};
    shape.insert(shape.end(), space.begin(), space.end());
    shape.push_back(static_cast<int64_t>(n));
    return {y.reshape(shape)};
}

// ---- DeformConv: every tap samples the image at a place of its own

// x at the rows and columns in pixels, zeros beyond; x [N, C, H, W], the places [N, P, Q].
Tensor sampled(const Tensor& x, const Tensor& rows, const Tensor& columns) {
    const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
    const Tensor planes = x.reshape({n, c, h * w});
    const Tensor top = at::floor(rows).detach(), left = at::floor(columns).detach();
    const Tensor down = rows - top, right = columns - left;
    Tensor sum;
    for (const int64_t i : {0, 1}) {
        for (const int64_t j : {0, 1}) {
            const Tensor row = top + i, column = left + j;
            const Tensor inside = (row >= 0) & (row < h) & (column >= 0) & (column < w);
            const Tensor weight = (i == 0 ? 1 - down : down) * (j == 0 ? 1 - right : right);
            const Tensor place = at::clamp(row, 0, h - 1) * w + at::clamp(column, 0, w - 1);
            const Tensor index = place.to(at::kLong).reshape({n, 1, -1}).expand({n, c, -1});
            const Tensor part = at::gather(planes, 2, index) *
                                (weight * inside.to(weight.scalar_type())).reshape({n, 1, -1});
            sum = sum.defined() ? sum + part : part;
        }
    }
    return sum.reshape({n, c, rows.size(1), rows.size(2)});
}

Tensors deform_conv(const Call& call) {
    const Tensor &x = call.in[0], &w = call.in[1], &offset = call.in[2];
    if (x.dim() != 4 || w.dim() != 4 || offset.dim() != 4) call.refuse("two dimensions only");
    const net::Fail fail = refusal(call);
    net::SlidingWindow window = net::read_window(call.node, {w.size(2), w.size(3)}, fail);
    const int64_t groups = call.node.int_or("group", 1),
                  fields = call.node.int_or("offset_group", 1);
    const int64_t high = net::positions(window, 0, x.size(2), fail),
                  wide = net::positions(window, 1, x.size(3), fail);
    const int64_t taps = w.size(2) * w.size(3), n = x.size(0), c = x.size(1);
    if (groups < 1 || fields < 1 || c % groups != 0 || c % fields != 0 || w.size(0) % groups != 0 ||
        w.size(1) != c / groups ||
        offset.sizes() != at::IntArrayRef({n, 2 * taps * fields, high, wide}) ||
        (call.given(4) && call.in[4].sizes() != at::IntArrayRef({n, taps * fields, high, wide}))) {
        call.refuse("offsets, mask, groups and weight do not fit the image");
    }
    const Tensor rows = at::arange(high, x.options()).unsqueeze(1) * window.strides[0];
    const Tensor columns = at::arange(wide, x.options()).unsqueeze(0) * window.strides[1];
    std::vector<Tensor> parts;  // [N, C / fields, taps, P, Q] of each field of offsets
    for (int64_t f = 0; f < fields; ++f) {
        const Tensor image = x.narrow(1, f * (c / fields), c / fields);
        std::vector<Tensor> of_taps;
        for (int64_t t = 0; t < taps; ++t) {
            const int64_t which = f * taps + t;
            const int64_t row = t / w.size(3) * window.dilations[0] - window.begins[0];
            const int64_t column = t % w.size(3) * window.dilations[1] - window.begins[1];
            Tensor part = sampled(image, offset.select(1, 2 * which) + rows + row,
                                  offset.select(1, 2 * which + 1) + columns + column);
            if (call.given(4)) part = part * call.in[4].narrow(1, which, 1);
            of_taps.push_back(part);
        }
        parts.push_back(at::stack(of_taps, 2));
    }
    const Tensor columns_of =
        at::cat(parts, 1).reshape({n, groups, c / groups * taps, high * wide});
    const Tensor weight = w.reshape({1, groups, w.size(0) / groups, c / groups * taps});
    Tensor y = at::matmul(weight, columns_of).reshape({n, w.size(0), high, wide});
    if (call.given(3)) y = y + call.in[3].reshape({1, -1, 1, 1});
    return {y};
}

constexpr Operator kOperators[] = {
    {"AffineGrid", affine_grid}, {"DeformConv", deform_conv}, {"DepthToSpace", depth_to_space},
    {"GridSample", grid_sample}, {"Resize", resize},          {"SpaceToDepth", space_to_depth},
    {"Upsample", resize},
};

}  // namespace

std::span<const Operator> sampling_operators() { return kOperators; }

}  // namespace adiabat::torch
