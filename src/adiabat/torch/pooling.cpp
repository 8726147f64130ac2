// SPDX-License-Identifier: Apache-2.0
//
// Pooling.

#include <algorithm>
#include <limits>

#include "adiabat/torch/operators.h"
#include "adiabat/torch/window.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

bool any_not_one(const std::vector<int64_t>& v) {
    return std::any_of(v.begin(), v.end(), [](int64_t d) { return d != 1; });
}

// LibTorch pads pools symmetrically and by half a kernel at most.
bool pads_natively(const Window& w) {
    for (size_t k = 0; k < w.kernel.size(); ++k) {
        if (w.begins[k] != w.ends[k] || 2 * w.begins[k] > w.kernel[k]) return false;
    }
    return true;
}

Tensors max_pool(const Call& call) {
    if (call.node.outputs.size() > 1 && call.node.outputs[1] != net::kNoValue) {
        call.refuse("the output Indices is not known");
    }
    Tensor x = call.in[0];
    Window w = window_of(call, x, call.node.ints_or("kernel_shape", {}));
    if (!pads_natively(w)) {
        x = at::constant_pad_nd(x, w.pads(), -std::numeric_limits<double>::infinity());
        std::fill(w.begins.begin(), w.begins.end(), 0);
    }
    const bool ceil = call.node.int_or("ceil_mode", 0) != 0;
    if (x.dim() == 3) return {at::max_pool1d(x, w.kernel, w.strides, w.begins, w.dilations, ceil)};
    if (x.dim() == 4) return {at::max_pool2d(x, w.kernel, w.strides, w.begins, w.dilations, ceil)};
    return {at::max_pool3d(x, w.kernel, w.strides, w.begins, w.dilations, ceil)};
}

Tensor average(const Tensor& x, const Window& w, bool ceil, bool count_pads) {
    if (x.dim() == 3) return at::avg_pool1d(x, w.kernel, w.strides, w.begins, ceil, count_pads);
    if (x.dim() == 4) return at::avg_pool2d(x, w.kernel, w.strides, w.begins, ceil, count_pads);
    return at::avg_pool3d(x, w.kernel, w.strides, w.begins, ceil, count_pads);
}

Tensors average_pool(const Call& call) {
    const Tensor& x = call.in[0];
    Window w = window_of(call, x, call.node.ints_or("kernel_shape", {}));
    if (any_not_one(w.dilations)) call.refuse("dilations other than 1");
    const bool ceil = call.node.int_or("ceil_mode", 0) != 0;
    const bool count_pads = call.node.int_or("count_include_pad", 0) != 0;
    if (pads_natively(w)) return {average(x, w, ceil, count_pads)};
    const auto pads = w.pads();
    std::fill(w.begins.begin(), w.begins.end(), 0);
    const Tensor padded = average(at::constant_pad_nd(x, pads, 0), w, ceil, false);
    if (count_pads) return {padded};
    // The share of each window that lies on the image, by which the average over zeros is too
    // small.
    const Tensor ones = at::ones_like(x.narrow(0, 0, 1).narrow(1, 0, 1));
    return {padded / average(at::constant_pad_nd(ones, pads, 0), w, ceil, false)};
}

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

constexpr Operator kOperators[] = {
    {"AveragePool", average_pool},
    {"GlobalAveragePool", global_average},
    {"GlobalMaxPool", global_max},
    {"MaxPool", max_pool},
};

}  // namespace

Window window_of(const Call& call, const Tensor& x, std::vector<int64_t> kernel) {
    const size_t n = kernel.size();
    if (x.dim() != static_cast<int64_t>(n) + 2 || n < 1 || n > 3) {
        call.refuse(fmt::format("a kernel of {} dimensions over a tensor of {}", n, x.dim()));
    }
    Window w{std::move(kernel),
             call.node.ints_or("strides", {}),
             call.node.ints_or("dilations", {}),
             {},
             {}};
    if (w.strides.empty()) w.strides.assign(n, 1);
    if (w.dilations.empty()) w.dilations.assign(n, 1);
    auto pads = call.node.ints_or("pads", {});
    if (pads.empty()) pads.assign(2 * n, 0);
    if (w.strides.size() != n || w.dilations.size() != n || pads.size() != 2 * n) {
        call.refuse("strides, dilations, pads and kernel_shape differ in rank");
    }
    const auto half = pads.begin() + static_cast<std::ptrdiff_t>(n);
    w.begins.assign(pads.begin(), half);
    w.ends.assign(half, pads.end());
    const std::string automatic = call.node.string_or("auto_pad", "NOTSET");
    if (automatic == "NOTSET") return w;
    for (size_t k = 0; k < n; ++k) {
        const int64_t size = x.size(static_cast<int64_t>(k) + 2);
        const int64_t out = (size + w.strides[k] - 1) / w.strides[k];
        const int64_t extent = (w.kernel[k] - 1) * w.dilations[k] + 1;
        const int64_t total = automatic == "VALID"
                                  ? 0
                                  : std::max<int64_t>(0, (out - 1) * w.strides[k] + extent - size);
        w.begins[k] = automatic == "SAME_LOWER" ? total - total / 2 : total / 2;
        w.ends[k] = total - w.begins[k];
    }
    return w;
}

std::span<const Operator> pooling_operators() { return kOperators; }

}  // namespace adiabat::torch
