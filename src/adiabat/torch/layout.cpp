// SPDX-License-Identifier: Apache-2.0
//
// Operators that name elements differently, take parts and put parts together.

#include <algorithm>
#include <cmath>
#include <numeric>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/sliding_window.h"
#include "adiabat/torch/operators.h"
#include "adiabat/torch/tensors.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

int64_t axis_of(const Call& call, int64_t given, int64_t rank) {
    const auto axis = net::normal_axis(given, rank);
    if (!axis) call.refuse(fmt::format("axis {} of an array of {} dimensions", given, rank));
    return *axis;
}

std::vector<int64_t> first_axes(size_t count) {
    std::vector<int64_t> axes(count);
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
}

// That a result of this shape can be made at all.
net::Shape checked(const Call& call, net::Shape shape) {
    int64_t count = 1;
    for (int64_t size : shape) {
        if (size < 0) call.refuse(fmt::format("a result of shape {}", net::to_string(shape)));
        if (__builtin_mul_overflow(count, size, &count) || count > kMostElements) {
            call.refuse(fmt::format("a result of shape {} is too large", net::to_string(shape)));
        }
    }
    return shape;
}

Tensors flatten(const Call& call) {
    const Tensor& x = call.in[0];
    int64_t axis = call.node.int_or("axis", 1);
    if (axis != x.dim()) axis = axis_of(call, axis, x.dim());
    int64_t rows = 1, columns = 1;
    for (int64_t d = 0; d < x.dim(); ++d) (d < axis ? rows : columns) *= x.size(d);
    return {x.reshape({rows, columns})};
}

Tensors reshape(const Call& call) {
    const Tensor& x = call.in[0];
    const auto wanted = call.ints(1, "shape");
    const std::vector<std::optional<int64_t>> target(wanted.begin(), wanted.end());
    const auto shape = net::reshape(x.sizes().vec(), target, call.node.int_or("allowzero", 0) != 0);
    if (!shape) {
        call.refuse(fmt::format("an input of shape {} cannot take the shape {}",
                                net::to_string(x.sizes().vec()), net::to_string(wanted)));
    }
    return {x.reshape(*shape)};
}

Tensors transpose(const Call& call) {
    auto order = call.node.ints_or("perm", {});
    if (order.empty()) {
        order.resize(static_cast<size_t>(call.in[0].dim()));
        std::iota(order.rbegin(), order.rend(), 0);
    }
    return {call.in[0].permute(order)};
}

Tensors squeeze(const Call& call) {
    Tensor x = call.in[0];
    auto axes = call.ints(1, "axes");
    if (axes.empty()) return {x.squeeze()};
    for (int64_t& a : axes) {
        a = axis_of(call, a, x.dim());
        if (x.size(a) == 1) continue;
        call.refuse(fmt::format("axis {} has {} entries; only an axis of one can be dropped", a,
                                x.size(a)));
    }
    std::sort(axes.rbegin(), axes.rend());
    axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
    for (int64_t a : axes) x = x.squeeze(a);
    return {x};
}

Tensors unsqueeze(const Call& call) {
    Tensor x = call.in[0];
    auto axes = call.ints(1, "axes");
    const int64_t rank = x.dim() + static_cast<int64_t>(axes.size());
    for (int64_t& a : axes) a = axis_of(call, a, rank);
    std::sort(axes.begin(), axes.end());
    if (std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
        call.refuse("an axis is inserted twice");
    }
    for (int64_t a : axes) x = x.unsqueeze(a);
    return {x};
}

// One axis; backwards it is the same elements, turned round.
Tensor slice_axis(const Tensor& x, int64_t axis, const net::SliceRange& range) {
    if (range.count == 0) return x.slice(axis, 0, 0);
    if (range.count == 1) return x.slice(axis, range.start, range.start + 1);
    const int64_t last = range.start + (range.count - 1) * range.step;
    if (range.step > 0) return x.slice(axis, range.start, last + 1, range.step);
    return x.slice(axis, last, range.start + 1, -range.step).flip(axis);
}

Tensors slice(const Call& call) {
    Tensor x = call.in[0];
    const auto starts = call.ints(1, "starts"), ends = call.ints(2, "ends");
    auto axes = call.ints(3, "axes"), steps = call.ints(4, "");
    if (axes.empty()) axes = first_axes(starts.size());
    if (steps.empty()) steps.assign(starts.size(), 1);
    if (ends.size() != starts.size() || axes.size() != starts.size() ||
        steps.size() != starts.size()) {
        call.refuse("starts, ends, axes and steps differ in length");
    }
    for (size_t k = 0; k < starts.size(); ++k) {
        if (steps[k] == 0) call.refuse("a step of 0");
        const int64_t axis = axis_of(call, axes[k], x.dim());
        x = slice_axis(x, axis, net::slice_range(starts[k], ends[k], steps[k], x.size(axis)));
    }
    return {x};
}

// Pads of every axis, before and behind.
struct Pads {
    std::vector<int64_t> before, behind;
};

Pads pads_of(const Call& call, const Tensor& x) {
    const auto pads = call.ints(1, call.node.has("pads") ? "pads" : "paddings");
    auto axes = call.ints(3, "");
    if (axes.empty()) axes = first_axes(static_cast<size_t>(x.dim()));
    if (pads.size() != 2 * axes.size()) {
        call.refuse(fmt::format("{} pads for {} axes", pads.size(), axes.size()));
    }
    const auto rank = static_cast<size_t>(x.dim());
    Pads out{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 0)};
    net::Shape shape = x.sizes().vec();
    for (size_t k = 0; k < axes.size(); ++k) {
        const int64_t before = pads[k], behind = pads[k + axes.size()];
        if (std::min(before, behind) < -INT32_MAX || std::max(before, behind) > INT32_MAX) {
            call.refuse(fmt::format("pads {} are out of range", net::to_string(pads)));
        }
        const auto axis = static_cast<size_t>(axis_of(call, axes[k], x.dim()));
        out.before[axis] = before;
        out.behind[axis] = behind;
        shape[axis] = x.size(static_cast<int64_t>(axis)) + before + behind;
    }
    checked(call, shape);
    return out;
}

// The element that stands at position p of an axis of n, beyond its ends.
int64_t mirrored(int64_t p, int64_t n, const std::string& mode) {
    const auto modulo = [](int64_t a, int64_t m) { return (a % m + m) % m; };
    if (mode == "edge") return std::clamp<int64_t>(p, 0, n - 1);
    if (mode == "wrap") return modulo(p, n);
    if (n == 1) return 0;
    const int64_t phase = modulo(p, 2 * (n - 1));
    return phase < n ? phase : 2 * (n - 1) - phase;
}

Tensors pad(const Call& call) {
    Tensor x = call.in[0];
    const Pads pads = pads_of(call, x);
    const std::string mode = call.node.string_or("mode", "constant");
    if (mode == "constant") {
        const at::Scalar value = call.given(2) && call.in[2].numel() == 1
                                     ? call.in[2].item()
                                     : at::Scalar(call.node.float_or("value", 0));
        std::vector<int64_t> backwards;
        for (size_t k = pads.before.size(); k-- > 0;) {
            backwards.push_back(pads.before[k]);
            backwards.push_back(pads.behind[k]);
        }
        return {at::constant_pad_nd(x, backwards, value)};
    }
    if (mode != "reflect" && mode != "edge" && mode != "wrap") {
        call.refuse(fmt::format("mode '{}'; known are constant, reflect, edge and wrap", mode));
    }
    for (int64_t axis = 0; axis < x.dim(); ++axis) {
        const int64_t n = x.size(axis), before = pads.before[static_cast<size_t>(axis)],
                      behind = pads.behind[static_cast<size_t>(axis)];
        if (before == 0 && behind == 0) continue;
        if (n == 0) call.refuse("no elements to pad with");
        std::vector<int64_t> index;
        for (int64_t p = -before; p < n + behind; ++p) index.push_back(mirrored(p, n, mode));
        x = x.index_select(axis, at::tensor(index, at::kLong));
    }
    return {x};
}

Tensors concat(const Call& call) {
    return {at::cat(at::TensorList(call.in.data(), call.in.size()), call.node.int_or("axis", 1))};
}

Tensors split(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = axis_of(call, call.node.int_or("axis", 0), x.dim());
    auto sizes = call.ints(1, "split");
    if (sizes.empty()) {  // equal parts, the last one smaller where they do not come out even
        const auto count = static_cast<int64_t>(call.node.outputs.size());
        const int64_t each = (x.size(axis) + count - 1) / count;
        for (int64_t k = 0; k < count; ++k) {
            sizes.push_back(std::clamp<int64_t>(x.size(axis) - k * each, 0, each));
        }
    }
    return at::split_with_sizes(x, sizes, axis);
}

// In memory of its own: later operators may write over it.
Tensors expand(const Call& call) {
    const Tensor& x = call.in[0];
    const auto wanted = call.ints(1, "shape");
    const auto shape = net::broadcast(x.sizes().vec(), wanted);
    if (!shape) {
        call.refuse(fmt::format("an input of shape {} does not broadcast to {}",
                                net::to_string(x.sizes().vec()), net::to_string(wanted)));
    }
    return {x.expand(checked(call, *shape)).contiguous()};
}

Tensors tile(const Call& call) {
    const Tensor& x = call.in[0];
    const auto repeats = call.ints(1, "repeats");
    if (repeats.size() != static_cast<size_t>(x.dim())) {
        call.refuse(fmt::format("{} repeats for {} axes", repeats.size(), x.dim()));
    }
    net::Shape shape = x.sizes().vec();
    for (size_t k = 0; k < repeats.size(); ++k) {
        if (repeats[k] < 0 || __builtin_mul_overflow(shape[k], repeats[k], &shape[k])) {
            call.refuse(fmt::format("{} repeats", repeats[k]));
        }
    }
    checked(call, shape);
    return {x.repeat(repeats)};
}

Tensors shape_of(const Call& call) {
    const Tensor& x = call.in[0];
    const auto place = [&](int64_t axis) {
        return std::clamp<int64_t>(axis < 0 ? axis + x.dim() : axis, 0, x.dim());
    };
    const int64_t start = place(call.node.int_or("start", 0));
    const int64_t end = std::max(start, place(call.node.int_or("end", x.dim())));
    const auto sizes =
        x.sizes().slice(static_cast<size_t>(start), static_cast<size_t>(end - start));
    return {at::tensor(sizes, at::kLong)};
}

Tensors size_of(const Call& call) { return {at::scalar_tensor(call.in[0].numel(), at::kLong)}; }

Tensors constant_of_shape(const Call& call) {
    const auto shape = checked(call, call.ints(0, ""));
    const auto found = call.node.attributes.find("value");
    if (found == call.node.attributes.end()) return {at::zeros(shape, at::kFloat)};
    const auto* value = std::get_if<net::Tensor>(&found->second);
    if (!value || value->size() != 1) call.refuse("value must be a tensor of one element");
    return {to_torch(*value).reshape({}).expand(shape).clone()};
}

Tensors range(const Call& call) {
    const Tensor &start = call.in[0], &limit = call.in[1], &delta = call.in[2];
    if (start.numel() != 1 || limit.numel() != 1 || delta.numel() != 1) {
        call.refuse("start, limit and delta are one number each");
    }
    const double step = delta.item().toDouble();
    const double steps = (limit.item().toDouble() - start.item().toDouble()) / step;
    if (step == 0 || !(steps < static_cast<double>(kMostElements))) {
        call.refuse(fmt::format("a range in steps of {}", step));
    }
    const auto count = std::max<int64_t>(0, static_cast<int64_t>(std::ceil(steps)));
    return {at::arange(count, start.options()) * delta.reshape({}) + start.reshape({})};
}

Tensors trilu(const Call& call) {
    const Tensor& x = call.in[0];
    if (x.dim() < 2) call.refuse("no matrix");
    const int64_t k = call.given(1) ? call.in[1].item<int64_t>() : 0;
    // The diagonals that there are; LibTorch adds to k.
    const int64_t diagonal = std::clamp(k, -x.size(-2) - 1, x.size(-1) + 1);
    return {call.node.int_or("upper", 1) != 0 ? at::triu(x, diagonal) : at::tril(x, diagonal)};
}

Tensors eye_like(const Call& call) {
    const Tensor& x = call.in[0];
    if (x.dim() != 2) call.refuse("no matrix");
    const int64_t k = std::clamp(call.node.int_or("k", 0), -x.size(0) - 1, x.size(1) + 1);
    const Tensor rows = at::arange(x.size(0), at::kLong).unsqueeze(1);
    const Tensor columns = at::arange(x.size(1), at::kLong).unsqueeze(0);
    const at::ScalarType type = to_torch(net::Tensor(call.out_type, net::Shape{1})).scalar_type();
    return {at::eq(columns - rows, k).to(type)};
}

// Cut or padded with zeros around the middle; the odd element counts as behind.
Tensors center_crop_pad(const Call& call) {
    const Tensor& x = call.in[0];
    const auto sizes = call.ints(1, "");
    const auto axes = call.node.ints_or("axes", first_axes(static_cast<size_t>(x.dim())));
    if (sizes.size() != axes.size()) {
        call.refuse(fmt::format("{} sizes for {} axes", sizes.size(), axes.size()));
    }
    net::Shape shape = x.sizes().vec();
    std::vector<int64_t> pads(static_cast<size_t>(2 * x.dim()), 0);
    for (size_t k = 0; k < axes.size(); ++k) {
        const int64_t axis = axis_of(call, axes[k], x.dim()), n = x.size(axis);
        shape[static_cast<size_t>(axis)] = sizes[k];
        const int64_t excess = sizes[k] - n;
        const int64_t before = excess > 0 ? excess / 2 : -(-excess / 2);
        const auto place = static_cast<size_t>(2 * (x.dim() - 1 - axis));
        pads[place] = before;
        pads[place + 1] = excess - before;
    }
    checked(call, shape);
    return {at::constant_pad_nd(x, pads, 0)};
}

// Columns added up where they overlap. LibTorch has it for pads that are alike before and behind;
// the image with its pads has none.
Tensors col2im(const Call& call) {
    const Tensor& x = call.in[0];
    const auto image = call.ints(1, ""), block = call.ints(2, "");
    const net::Fail fail = [&](const std::string& what) { call.refuse(what); };
    const net::SlidingWindow w = net::read_window(call.node, block, fail);
    const size_t n = block.size();
    if (x.dim() != 3 || n < 1 || image.size() != n) call.refuse("no columns of an image");
    net::Shape wide = {x.size(0), x.size(1) / net::elements(block)};
    net::Shape split = wide;
    split.insert(split.end(), block.begin(), block.end());
    for (size_t k = 0; k < n; ++k) {
        if (image[k] < 1 || image[k] > INT32_MAX) call.refuse("an image of no size");
        split.push_back(net::positions(w, k, image[k], fail));
        wide.push_back(image[k] + w.begins[k] + w.ends[k]);
    }
    checked(call, wide);
    const Tensor columns = x.reshape(split);
    Tensor y = at::zeros(wide, x.options());
    std::vector<int64_t> tap(n, 0);
    while (true) {
        Tensor part = columns, place = y;
        for (size_t k = 0; k < n; ++k) {
            part = part.select(2, tap[k]);
            const int64_t first = tap[k] * w.dilations[k];
            const int64_t count = split[2 + n + k];
            place = place.slice(static_cast<int64_t>(k) + 2, first,
                                first + (count - 1) * w.strides[k] + 1, w.strides[k]);
        }
        place.add_(part);
        size_t k = n;
        while (k > 0 && ++tap[k - 1] == block[k - 1]) tap[--k] = 0;
        if (k == 0) break;
    }
    for (size_t k = 0; k < n; ++k) y = y.narrow(static_cast<int64_t>(k) + 2, w.begins[k], image[k]);
    return {y.contiguous()};
}

constexpr Operator kOperators[] = {
    {"CenterCropPad", center_crop_pad},
    {"Col2Im", col2im},
    {"Concat", concat},
    {"ConstantOfShape", constant_of_shape},
    {"Expand", expand},
    {"EyeLike", eye_like},
    {"Flatten", flatten},
    {"Pad", pad},
    {"Range", range},
    {"Reshape", reshape},
    {"Shape", shape_of},
    {"Size", size_of},
    {"Slice", slice},
    {"Split", split},
    {"Squeeze", squeeze},
    {"Tile", tile},
    {"Transpose", transpose},
    {"Trilu", trilu},
    {"Unsqueeze", unsqueeze},
};

}  // namespace

std::span<const Operator> layout_operators() { return kOperators; }

}  // namespace adiabat::torch
