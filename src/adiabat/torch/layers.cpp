// SPDX-License-Identifier: Apache-2.0
//
// Convolution, Gemm, MatMul and batch normalization.

#include <algorithm>

#include "adiabat/torch/operators.h"
#include "adiabat/torch/window.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

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

constexpr Operator kOperators[] = {
    {"BatchNormalization", batch_norm},
    {"Conv", conv},
    {"Gemm", gemm},
    {"MatMul", matmul},
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
