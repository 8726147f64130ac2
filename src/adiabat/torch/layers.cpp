// SPDX-License-Identifier: Apache-2.0
//
// Convolution, Gemm, MatMul, batch normalization and pooling.

#include <algorithm>
#include <limits>
#include <numeric>

#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

// A window that slides over the spatial dimensions: what Conv and the pools have in common.
struct Window {
    std::vector<int64_t> kernel, strides, dilations, begins, ends;

    bool symmetric() const { return begins == ends; }

    // {last begin, last end, ...}, as LibTorch pads.
    std::vector<int64_t> pads() const {
        std::vector<int64_t> out;
        for (size_t k = begins.size(); k-- > 0;) {
            out.push_back(begins[k]);
            out.push_back(ends[k]);
        }
        return out;
    }
};

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

Tensor channels_last(const Tensor& x) {
    return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

bool for_onednn(const Tensor& x) {
    return x.dim() == 4 && x.scalar_type() == at::kFloat && x.numel() > 0 && at::hasMKLDNN();
}

Tensor convolve_padded(const Tensor& x, const Tensor& w, const Tensor& bias, const Window& window,
                       at::IntArrayRef padding, int64_t groups) {
    if (for_onednn(x)) {  // at::convolution would leave small 1x1 ones to the reference BLAS
        return at::mkldnn_convolution(channels_last(x), channels_last(w), bias, padding,
                                      window.strides, window.dilations, groups);
    }
    const std::vector<int64_t> none(window.kernel.size(), 0);
    return at::convolution(x, w, bias, window.strides, padding, window.dilations,
                           /*transposed=*/false, none, groups);
}

Tensors conv(const Call& call) {
    return {convolve(call, call.in[0], call.in[1], call.given(2) ? call.in[2] : Tensor())};
}

Tensors gemm(const Call& call) {
    const net::Node& node = call.node;
    const double alpha = node.float_or("alpha", 1), beta = node.float_or("beta", 1);
    const Tensor a = node.int_or("transA", 0) ? call.in[0].t() : call.in[0];
    const Tensor b = node.int_or("transB", 0) ? call.in[1] : call.in[1].t();
    const bool biased = call.given(2) && beta != 0;
    const bool joins = biased && alpha == 1 && beta == 1 && call.in[2].dim() == 1 &&
                       call.in[2].size(0) == b.size(0);
    Tensor y = affine_rows(a, b, joins ? call.in[2] : Tensor());
    if (alpha != 1) y = y * alpha;
    if (biased && !joins) y = y + (beta == 1 ? call.in[2] : call.in[2] * beta);
    return {y};
}

Tensors matmul(const Call& call) {
    const Tensor &a = call.in[0], &b = call.in[1];
    if (b.dim() != 2 || a.dim() < 2) return {at::matmul(a, b)};
    std::vector<int64_t> dims(a.sizes().begin(), a.sizes().end());
    dims.back() = b.size(1);
    return {affine_rows(a.reshape({-1, b.size(0)}), b.t(), {}).reshape(dims)};
}

Tensors batch_norm(const Call& call) {
    const double epsilon = call.node.float_or("epsilon", 1e-5f);
    if (call.node.int_or("training_mode", 0) != 0)
        call.refuse("training_mode 1; only inference is known");
    return {at::batch_norm(call.in[0], call.in[1], call.in[2], call.in[3], call.in[4],
                           /*training=*/false, 0.0, epsilon, /*cudnn_enabled=*/false)};
}

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

constexpr Operator kOperators[] = {
    {"AveragePool", average_pool},
    {"BatchNormalization", batch_norm},
    {"Conv", conv},
    {"Gemm", gemm},
    {"MatMul", matmul},
    {"MaxPool", max_pool},
};

}  // namespace

std::span<const Operator> layer_operators() { return kOperators; }

Tensor convolve(const Call& call, Tensor x, const Tensor& w, const Tensor& bias) {
    Window window = window_of(call, x, {w.sizes().begin() + 2, w.sizes().end()});
    if (!window.symmetric()) {
        x = at::constant_pad_nd(x, window.pads(), 0);
        std::fill(window.begins.begin(), window.begins.end(), 0);
    }
    const int64_t groups = call.node.int_or("group", 1);
    if (x.dim() != 3) return convolve_padded(x, w, bias, window, window.begins, groups);
    window.kernel.insert(window.kernel.begin(), 1);  // one dimension is two, the first of size 1
    window.strides.insert(window.strides.begin(), 1);
    window.dilations.insert(window.dilations.begin(), 1);
    window.begins.insert(window.begins.begin(), 0);
    return convolve_padded(x.unsqueeze(2), w.unsqueeze(2), bias, window, window.begins, groups)
        .squeeze(2);
}

Tensor affine_rows(const Tensor& x, const Tensor& w, const Tensor& bias) {
    const int64_t rows = x.size(0), inputs = x.size(1), outputs = w.size(0);
    if (x.scalar_type() != at::kFloat || rows == 0 || !at::hasMKLDNN()) {
        const Tensor y = at::matmul(x, w.t());
        return bias.defined() ? y + bias : y;
    }
    // [1, K, M, 1] in channels-last order is the row-major [M, K] itself.
    const Tensor image = x.contiguous().view({1, rows, 1, inputs}).permute({0, 3, 1, 2});
    const Tensor kernel = w.contiguous().view({outputs, 1, 1, inputs}).permute({0, 3, 1, 2});
    const Tensor y = at::mkldnn_convolution(image, kernel, bias, {0, 0}, {1, 1}, {1, 1}, 1);
    return y.permute({0, 2, 3, 1}).reshape({rows, outputs});
}

}  // namespace adiabat::torch
