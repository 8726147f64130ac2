// SPDX-License-Identifier: Apache-2.0
//
// What operators have in common, and those that only move data.

#include <algorithm>
#include <limits>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

bool Call::may_overwrite(size_t k) const {
    const Tensor& t = in[k];
    return !at::GradMode::is_enabled() && t.use_count() == 1 && t.storage().use_count() == 1;
}

std::vector<int64_t> Call::ints(size_t k, std::string_view name) const {
    if (!given(k)) return node.ints_or(name, {});
    const Tensor values = in[k].to(at::kLong).contiguous();
    const auto* data = values.data_ptr<int64_t>();
    return {data, data + values.numel()};
}

double Call::number(size_t k, std::string_view name, double otherwise) const {
    if (given(k)) return in[k].item().toDouble();
    return name.empty() || !node.has(name) ? otherwise : node.float_or(name, 0);
}

void Call::refuse(const std::string& what) const {
    throw InputError("{} ({}): {}", node.name.empty() ? "a node without a name" : node.name,
                     node.op, what);
}

namespace {

std::vector<int64_t> spatial_axes(const Tensor& x) {
    std::vector<int64_t> axes;
    for (int64_t d = 2; d < x.dim(); ++d) axes.push_back(d);
    return axes;
}

Tensors global_average(const Call& call) {
    return {call.in[0].mean(spatial_axes(call.in[0]), /*keepdim=*/true)};
}

Tensors global_max(const Call& call) {
    return {call.in[0].amax(spatial_axes(call.in[0]), /*keepdim=*/true)};
}

// ---- data movement

Tensors flatten(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = positive_axis(call.node.int_or("axis", 1), x.dim());
    int64_t rows = 1, columns = 1;
    for (int64_t d = 0; d < x.dim(); ++d) (d < axis ? rows : columns) *= x.size(d);
    return {x.reshape({rows, columns})};
}

Tensors reshape(const Call& call) {
    const Tensor& x = call.in[0];
    auto dims = call.ints(1, "shape");
    const bool copies = call.node.int_or("allowzero", 0) == 0;
    for (size_t k = 0; k < dims.size(); ++k) {
        if (dims[k] != 0 || !copies) continue;
        if (static_cast<int64_t>(k) >= x.dim()) call.refuse("copies a dimension that is not there");
        dims[k] = x.size(static_cast<int64_t>(k));
    }
    return {x.reshape(dims)};
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
    for (int64_t& a : axes) a = positive_axis(a, x.dim());
    std::sort(axes.rbegin(), axes.rend());
    for (int64_t a : axes) x = x.squeeze(a);
    return {x};
}

Tensors unsqueeze(const Call& call) {
    Tensor x = call.in[0];
    auto axes = call.ints(1, "axes");
    for (int64_t& a : axes) a = positive_axis(a, x.dim() + static_cast<int64_t>(axes.size()));
    std::sort(axes.begin(), axes.end());
    for (int64_t a : axes) x = x.unsqueeze(a);
    return {x};
}

// One axis, by the rules of ONNX for out-of-range and negative bounds.
Tensor slice_axis(const Tensor& x, int64_t axis, int64_t start, int64_t end, int64_t step) {
    const int64_t n = x.size(axis);
    const auto bound = [&](int64_t v, int64_t low, int64_t high) {
        return std::clamp(v < 0 ? std::max(v, -n - 1) + n : v, low, high);
    };
    if (step > 0) {
        const int64_t first = bound(start, 0, n), last = bound(end, 0, n);
        return x.slice(axis, first, std::max(first, last), step);
    }
    std::vector<int64_t> picked;
    const int64_t first = bound(start, 0, n - 1), last = bound(end, -1, n - 1);
    for (int64_t k = first; k > last; k += step) picked.push_back(k);
    return x.index_select(axis, at::tensor(picked, at::kLong));
}

Tensors slice(const Call& call) {
    Tensor x = call.in[0];
    const auto starts = call.ints(1, "starts"), ends = call.ints(2, "ends");
    auto axes = call.ints(3, "axes"), steps = call.ints(4, "");
    if (axes.empty()) {
        axes.resize(starts.size());
        std::iota(axes.begin(), axes.end(), 0);
    }
    if (steps.empty()) steps.assign(starts.size(), 1);
    if (ends.size() != starts.size() || axes.size() != starts.size() ||
        steps.size() != starts.size()) {
        call.refuse("starts, ends, axes and steps differ in length");
    }
    for (size_t k = 0; k < starts.size(); ++k) {
        if (steps[k] == 0) call.refuse("a step of 0");
        x = slice_axis(x, positive_axis(axes[k], x.dim()), starts[k], ends[k], steps[k]);
    }
    return {x};
}

// LibTorch takes pads from the last dimension backwards: {last begin, last end, ...}.
std::vector<int64_t> torch_pads(const Call& call, int64_t rank) {
    const auto pads = call.ints(1, call.node.has("pads") ? "pads" : "paddings");
    auto axes = call.ints(3, "");
    if (axes.empty()) {
        axes.resize(static_cast<size_t>(rank));
        std::iota(axes.begin(), axes.end(), 0);
    }
    if (pads.size() != 2 * axes.size()) {
        call.refuse(fmt::format("{} pads for {} axes", pads.size(), axes.size()));
    }
    std::vector<int64_t> out(static_cast<size_t>(2 * rank), 0);
    for (size_t k = 0; k < axes.size(); ++k) {
        const auto place = static_cast<size_t>(2 * (rank - 1 - positive_axis(axes[k], rank)));
        out[place] = pads[k];
        out[place + 1] = pads[k + axes.size()];
    }
    while (out.size() >= 2 && out.back() == 0 && out[out.size() - 2] == 0)
        out.resize(out.size() - 2);
    return out;
}

Tensors pad(const Call& call) {
    const Tensor& x = call.in[0];
    auto pads = torch_pads(call, x.dim());
    if (pads.empty()) return {x};
    const std::string mode = call.node.string_or("mode", "constant");
    if (mode == "constant") {
        return {at::constant_pad_nd(x, pads, call.number(2, "value", 0))};
    }
    if (mode != "reflect" && mode != "edge") {
        call.refuse(fmt::format("mode '{}'; known are constant, reflect and edge", mode));
    }
    const auto spatial = static_cast<size_t>(2 * (x.dim() - 2));
    if (pads.size() > spatial || x.dim() > 5) call.refuse(mode + " over the batch or the channels");
    pads.resize(spatial, 0);
    return {at::pad(x, pads, mode == "edge" ? "replicate" : "reflect")};
}

Tensors concat(const Call& call) {
    return {at::cat(at::TensorList(call.in.data(), call.in.size()), call.node.int_or("axis", 1))};
}

Tensors split(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = positive_axis(call.node.int_or("axis", 0), x.dim());
    auto sizes = call.ints(1, "split");
    if (sizes.empty()) {
        const auto count = static_cast<int64_t>(call.node.outputs.size());
        const int64_t each = (x.size(axis) + count - 1) / count;
        for (int64_t left = x.size(axis); left > 0; left -= each)
            sizes.push_back(std::min(each, left));
    }
    return at::split_with_sizes(x, sizes, axis);
}

Tensors gather(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = positive_axis(call.node.int_or("axis", 0), x.dim());
    Tensor index = call.in[1].to(at::kLong);
    index = at::where(index < 0, index + x.size(axis), index);
    std::vector<int64_t> dims(x.sizes().begin(), x.sizes().begin() + axis);
    dims.insert(dims.end(), index.sizes().begin(), index.sizes().end());
    dims.insert(dims.end(), x.sizes().begin() + axis + 1, x.sizes().end());
    return {x.index_select(axis, index.reshape({-1})).reshape(dims)};
}

constexpr Operator kOperators[] = {
    {"Concat", concat},
    {"Flatten", flatten},
    {"Gather", gather},
    {"GlobalAveragePool", global_average},
    {"GlobalMaxPool", global_max},
    {"Pad", pad},
    {"Reshape", reshape},
    {"Slice", slice},
    {"Split", split},
    {"Squeeze", squeeze},
    {"Transpose", transpose},
    {"Unsqueeze", unsqueeze},
};

}  // namespace

std::span<const Operator> plain_operators() { return kOperators; }

std::vector<std::span<const Operator>> all_operators() {
    return {plain_operators(), elementwise_operators(), reducing_operators(),
            layer_operators(), quantizing_operators(),  integer_operators()};
}

Function find_operator(std::string_view name) {
    for (const auto& table : all_operators()) {
        for (const Operator& entry : table) {
            if (entry.name == name) return entry.function;
        }
    }
    return nullptr;
}

}  // namespace adiabat::torch
