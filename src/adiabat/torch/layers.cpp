// SPDX-License-Identifier: Apache-2.0
//
// What slides a window: convolution and pooling; and Gemm, MatMul and batch normalization.

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "adiabat/net/sliding_window.h"
#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

using Window = net::SlidingWindow;

net::Fail refusal(const Call& call) {
    return [&call](const std::string& what) { call.refuse(what); };
}

std::vector<int64_t> kernel_of(const Tensor& weight) {
    if (weight.dim() < 3) return {};
    return {weight.sizes().begin() + 2, weight.sizes().end()};
}

void check_rank(const Call& call, const Tensor& x, size_t n) {
    if (n >= 1 && n <= 3 && x.dim() == static_cast<int64_t>(n) + 2) return;
    call.refuse(fmt::format("a kernel of {} dimensions over a tensor of {}", n, x.dim()));
}

// The window of a node over x.
Window window_of(const Call& call, const Tensor& x, std::vector<int64_t> kernel) {
    check_rank(call, x, kernel.size());
    const net::Fail fail = refusal(call);
    Window w = net::read_window(call.node, std::move(kernel), fail);
    const auto sizes = x.sizes().slice(2);
    for (size_t k = 0; k < w.rank(); ++k) net::positions(w, k, sizes[k], fail);
    if (w.auto_pad != "NOTSET") net::settle_pads(w, sizes.vec(), fail);
    return w;
}

// {last begin, last end, ...}, as LibTorch pads.
std::vector<int64_t> torch_pads(const std::vector<int64_t>& begins,
                                const std::vector<int64_t>& ends) {
    std::vector<int64_t> out;
    for (size_t k = begins.size(); k-- > 0;) {
        out.push_back(begins[k]);
        out.push_back(ends[k]);
    }
    return out;
}

// x with the pads of the window, which then needs none.
Tensor padded(const Tensor& x, Window& w, double value) {
    const auto pads = torch_pads(w.begins, w.ends);
    std::fill(w.begins.begin(), w.begins.end(), 0);
    std::fill(w.ends.begin(), w.ends.end(), 0);
    return at::constant_pad_nd(x, pads, value);
}

Tensor channels_last(const Tensor& x) {
    return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

bool for_onednn(const Tensor& x) {
    return x.dim() == 4 && x.scalar_type() == at::kFloat && x.numel() > 0 && at::hasMKLDNN();
}

// A convolution through oneDNN. A kernel of one tap is dilated, which changes nothing but that
// LibTorch then leaves its backward pass to oneDNN too: of few images at a time it would give that
// to the reference BLAS, at a twentieth of the speed.
Tensor convolve_quickly(const Tensor& x, const Tensor& w, const Tensor& bias,
                        at::IntArrayRef padding, at::IntArrayRef strides, at::IntArrayRef dilations,
                        int64_t groups) {
    static constexpr std::array<int64_t, 2> kTwo = {2, 2};
    if (w.size(2) == 1 && w.size(3) == 1) dilations = kTwo;
    return at::mkldnn_convolution(x, w, bias, padding, strides, dilations, groups);
}

Tensor convolve_padded(const Tensor& x, const Tensor& w, const Tensor& bias, const Window& window,
                       at::IntArrayRef padding, int64_t groups) {
    if (for_onednn(x)) {  // at::convolution would leave small 1x1 ones to the reference BLAS
        return convolve_quickly(channels_last(x), channels_last(w), bias, padding, window.strides,
                                window.dilations, groups);
    }
    const std::vector<int64_t> none(window.kernel.size(), 0);
    return at::convolution(x, w, bias, window.strides, padding, window.dilations,
                           /*transposed=*/false, none, groups);
}

Tensors conv(const Call& call) {
    return {convolve(call, call.in[0], call.in[1], call.given(2) ? call.in[2] : Tensor())};
}

// A transposed convolution without a bias: `padding` is cut from either end. In two dimensions it
// is a 1x1 convolution to what each tap adds, then the sum over the taps: LibTorch's own runs on
// the reference BLAS.
Tensor convolve_transposed(const Tensor& x, const Tensor& w, const Window& window,
                           const std::vector<int64_t>& padding, at::IntArrayRef sizes,
                           int64_t groups) {
    if (!for_onednn(x)) {
        const std::vector<int64_t> none(window.rank(), 0);
        return at::convolution(x, w, {}, window.strides, padding, window.dilations,
                               /*transposed=*/true, none, groups);
    }
    const int64_t channels = w.size(0), taps = w.size(1) * w.size(2) * w.size(3);
    const Tensor kernel = w.reshape({groups, channels / groups, taps})
                              .transpose(1, 2)
                              .reshape({groups * taps, channels / groups, 1, 1});
    const Tensor columns = convolve_quickly(channels_last(x), channels_last(kernel), {}, {0, 0},
                                            {1, 1}, {1, 1}, groups);
    return at::col2im(columns.reshape({x.size(0), groups * taps, -1}), sizes, window.kernel,
                      window.dilations, padding, window.strides);
}

// Cut and padded as the window says. The bias comes last: padding has it too.
Tensors conv_transpose(const Call& call) {
    const Tensor &x = call.in[0], &w = call.in[1];
    check_rank(call, x, kernel_of(w).size());
    const net::Fail fail = refusal(call);
    const auto transposed = net::read_transposed_window(call.node, kernel_of(w), fail);
    const Window& window = transposed.window;
    const int64_t groups = call.node.int_or("group", 1);
    if (w.dim() != x.dim() || groups < 1 || w.size(0) != x.size(1) || w.size(0) % groups != 0) {
        call.refuse(fmt::format("{} channels to a weight of {} in {} groups", x.size(1), w.size(0),
                                groups));
    }
    std::vector<int64_t> before, behind, padding, sizes;
    bool cuts_alike = true;
    double count = static_cast<double>(x.size(0)) * static_cast<double>(w.size(1) * groups);
    for (size_t k = 0; k < window.rank(); ++k) {
        const auto extent = transposed.extent(k, x.size(static_cast<int64_t>(k) + 2), fail);
        before.push_back(-extent.cut_before);
        behind.push_back(-extent.cut_behind);
        padding.push_back(extent.cut_before);
        sizes.push_back(extent.size);
        cuts_alike = cuts_alike && before.back() == behind.back() && before.back() <= 0;
        count *= static_cast<double>(extent.size + extent.cut_before + extent.cut_behind);
    }
    if (count > static_cast<double>(kMostElements)) call.refuse("a result too large");
    Tensor y;
    if (cuts_alike) {
        y = convolve_transposed(x, w, window, padding, sizes, groups);
    } else {
        for (size_t k = 0; k < sizes.size(); ++k) sizes[k] -= before[k] + behind[k];
        std::fill(padding.begin(), padding.end(), 0);
        y = convolve_transposed(x, w, window, padding, sizes, groups);
        y = at::constant_pad_nd(y, torch_pads(before, behind), 0);
    }
    if (!call.given(2)) return {y};
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
    shape[1] = call.in[2].numel();
    return {y + call.in[2].reshape(shape)};
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

// Whether a call of oneDNN for each matrix pays, in place of the reference BLAS.
bool is_large_product(const Tensor& a, const Tensor& b) {
    constexpr double kLeastMacs = 1e5;
    const double macs = static_cast<double>(a.size(-2)) * static_cast<double>(a.size(-1)) *
                        static_cast<double>(b.size(-1));
    return a.scalar_type() == at::kFloat && b.scalar_type() == at::kFloat &&
           a.size(-1) == b.size(-2) && macs >= kLeastMacs;
}

// Batches of matrices, which are broadcast, one after the other.
Tensor products(const Tensor& a, const Tensor& b) {
    const auto batch = at::infer_size(a.sizes().slice(0, static_cast<size_t>(a.dim()) - 2),
                                      b.sizes().slice(0, static_cast<size_t>(b.dim()) - 2));
    const auto matrices = [&](const Tensor& t) {
        auto dims = batch;
        dims.insert(dims.end(), {t.size(-2), t.size(-1)});
        return t.expand(dims).reshape({-1, t.size(-2), t.size(-1)}).unbind(0);
    };
    const Tensors left = matrices(a), right = matrices(b.transpose(-1, -2));
    Tensors results;
    for (size_t k = 0; k < left.size(); ++k) {
        results.push_back(affine_rows(left[k], right[k], {}));
    }
    if (results.empty()) return at::matmul(a, b);
    auto dims = batch;
    dims.insert(dims.end(), {a.size(-2), b.size(-1)});
    return at::stack(results).reshape(dims);
}

Tensors matmul(const Call& call) {
    const Tensor &a = call.in[0], &b = call.in[1];
    if (b.dim() > 2 && a.dim() > 2 && is_large_product(a, b)) return {products(a, b)};
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

// ---- pooling

// LibTorch pads pools symmetrically and by half a kernel at most.
bool pads_natively(const Window& w) {
    for (size_t k = 0; k < w.rank(); ++k) {
        if (w.begins[k] != w.ends[k] || 2 * w.begins[k] > w.kernel[k]) return false;
    }
    return true;
}

// What is smaller than every element of that type.
double lowest(net::DType type) {
    if (type == net::DType::kUint8 || type == net::DType::kInt8) return code_range(type).first;
    return -std::numeric_limits<double>::infinity();
}

Tensor maxima(const Tensor& x, const Window& w) {
    if (x.dim() == 3) {
        return at::max_pool1d(x, w.kernel, w.strides, w.begins, w.dilations, w.ceil);
    }
    if (x.dim() == 4) {
        return at::max_pool2d(x, w.kernel, w.strides, w.begins, w.dilations, w.ceil);
    }
    return at::max_pool3d(x, w.kernel, w.strides, w.begins, w.dilations, w.ceil);
}

// The maxima, and where they are: numbered through the image, pads included where x has them.
std::tuple<Tensor, Tensor> maxima_with_places(const Tensor& x, const Window& w) {
    if (x.dim() == 3) {
        return at::max_pool1d_with_indices(x, w.kernel, w.strides, w.begins, w.dilations, w.ceil);
    }
    if (x.dim() == 4) {
        return at::max_pool2d_with_indices(x, w.kernel, w.strides, w.begins, w.dilations, w.ceil);
    }
    return at::max_pool3d_with_indices(x, w.kernel, w.strides, w.begins, w.dilations, w.ceil);
}

// Places in images of sizes `from`, `begins` of them pads, as ONNX numbers them: through all of the
// tensor x, and column by column where storage_order says so.
Tensor renumbered(Tensor place, const Tensor& x, at::IntArrayRef from,
                  const std::vector<int64_t>& begins, bool by_columns) {
    const auto sizes = x.sizes().slice(2);
    std::vector<Tensor> at(sizes.size());
    for (size_t k = sizes.size(); k-- > 0;) {
        at[k] = at::remainder(place, from[k]) - begins[k];
        place = at::floor_divide(place, from[k]);
    }
    int64_t plane = 1;
    Tensor y = at::zeros_like(place);
    for (size_t n = 0; n < sizes.size(); ++n) {
        const size_t k = by_columns ? n : sizes.size() - 1 - n;
        y = y + at[k] * plane;
        plane *= sizes[k];
    }
    const Tensor first = at::arange(x.size(0) * x.size(1), at::kLong) * plane;
    std::vector<int64_t> shape(static_cast<size_t>(x.dim()), 1);
    shape[0] = x.size(0);
    shape[1] = x.size(1);
    return y + first.reshape(shape);
}

Tensors max_pool(const Call& call) {
    Tensor x = call.in[0];
    Window w = window_of(call, x, call.node.ints_or("kernel_shape", {}));
    std::vector<int64_t> begins(w.rank(), 0);
    if (!pads_natively(w)) {
        net::settle_pads(w, x.sizes().slice(2).vec(), refusal(call));
        begins = w.begins;
        x = padded(x, w, lowest(call.out_type));
    }
    if (call.node.outputs.size() < 2 || call.node.outputs[1] == net::kNoValue) {
        return {maxima(x, w)};
    }
    const auto [y, places] = maxima_with_places(x.contiguous(), w);
    return {y, renumbered(places, call.in[0], x.sizes().slice(2), begins,
                          call.node.int_or("storage_order", 0) != 0)};
}

// Values back to where a MaxPool found them, zeros elsewhere.
Tensors max_unpool(const Call& call) {
    const Tensor& x = call.in[0];
    const auto kernel = call.node.ints_or("kernel_shape", {});
    check_rank(call, x, kernel.size());
    const Window w = net::read_window(call.node, kernel, refusal(call));
    std::vector<int64_t> shape = {x.size(0), x.size(1)};
    for (size_t k = 0; k < kernel.size(); ++k) {
        const int64_t size = x.size(static_cast<int64_t>(k) + 2);
        shape.push_back((size - 1) * w.strides[k] + kernel[k] - w.begins[k] - w.ends[k]);
    }
    const int64_t count = net::elements(shape);
    const Tensor places = call.in[1].to(at::kLong).reshape({-1});
    if (places.numel() > 0 &&
        (places.min().item<int64_t>() < 0 || places.max().item<int64_t>() >= count)) {
        call.refuse(
            fmt::format("indices beyond the {} elements of {}", count, net::to_string(shape)));
    }
    const Tensor flat = at::zeros({count}, x.options()).scatter(0, places, x.reshape({-1}));
    const Tensor y = flat.reshape(shape);
    const auto wanted = call.ints(2, "");
    if (wanted.empty()) return {y};
    if (wanted.size() != shape.size()) call.refuse("output_shape of another rank");
    std::vector<int64_t> ends;
    for (size_t k = 0; k < shape.size(); ++k) ends.push_back(wanted[k] - shape[k]);
    return {at::constant_pad_nd(y, torch_pads(std::vector<int64_t>(shape.size(), 0), ends), 0)};
}

Tensor average(const Tensor& x, const Window& w, bool count_pads) {
    if (x.dim() == 3) return at::avg_pool1d(x, w.kernel, w.strides, w.begins, w.ceil, count_pads);
    if (x.dim() == 4) return at::avg_pool2d(x, w.kernel, w.strides, w.begins, w.ceil, count_pads);
    return at::avg_pool3d(x, w.kernel, w.strides, w.begins, w.ceil, count_pads);
}

// The sum over the window, which has no pads and reaches the end: tap by tap, for what LibTorch has
// no pool of.
Tensor sum_of_taps(const Tensor& x, const Window& w) {
    Tensor sum;
    std::vector<int64_t> tap(w.rank(), 0);
    while (true) {
        Tensor part = x;
        for (size_t k = 0; k < w.rank(); ++k) {
            const int64_t first = tap[k] * w.dilations[k];
            const int64_t count = (x.size(static_cast<int64_t>(k) + 2) - w.reach(k)) / w.strides[k];
            part = part.slice(static_cast<int64_t>(k) + 2, first, first + count * w.strides[k] + 1,
                              w.strides[k]);
        }
        sum = sum.defined() ? sum + part : part;
        size_t k = w.rank();
        while (k > 0 && ++tap[k - 1] == w.kernel[k - 1]) tap[--k] = 0;
        if (k == 0) return sum;
    }
}

Tensors average_pool(const Call& call) {
    const Tensor& x = call.in[0];
    Window w = window_of(call, x, call.node.ints_or("kernel_shape", {}));
    const bool dilated = any_not_one(w.dilations);
    const bool count_pads = call.node.int_or("count_include_pad", 0) != 0;
    if (pads_natively(w) && !dilated) return {average(x, w, count_pads)};
    // The share of each window that counts, by which the average over zeros is too small. Beyond
    // the pads, where ceil_mode leads, nothing counts.
    Tensor ones = at::ones_like(x.narrow(0, 0, 1).narrow(1, 0, 1));
    Window rest = w;
    net::settle_pads(w, x.sizes().slice(2).vec(), refusal(call));
    if (count_pads) {
        for (size_t k = 0; k < w.rank(); ++k) {
            rest.begins[k] = 0;
            rest.ends[k] = std::max<int64_t>(0, w.ends[k] - rest.ends[k]);
        }
        Window counted = w;
        for (size_t k = 0; k < w.rank(); ++k) counted.ends[k] -= rest.ends[k];
        ones = padded(ones, counted, 1);
    } else {
        rest = w;
    }
    ones = padded(ones, rest, 0);
    const Tensor sheet = padded(x, w, 0);
    if (dilated) return {sum_of_taps(sheet, w) / sum_of_taps(ones, w)};
    return {average(sheet, w, false) / average(ones, w, false)};
}

Tensors lp_pool(const Call& call) {
    const Tensor& x = call.in[0];
    const auto p = static_cast<double>(call.node.int_or("p", 2));
    if (p < 1) call.refuse(fmt::format("p {}; at least 1", p));
    Window w = window_of(call, x, call.node.ints_or("kernel_shape", {}));
    net::settle_pads(w, x.sizes().slice(2).vec(), refusal(call));
    return {sum_of_taps(padded(x.abs().pow(p), w, 0), w).pow(1 / p)};
}

std::vector<int64_t> spatial_axes(const Call& call) {
    const int64_t rank = call.in[0].dim();
    if (rank < 3) call.refuse(fmt::format("an input of {} dimensions has no space", rank));
    std::vector<int64_t> axes(static_cast<size_t>(rank) - 2);
    std::iota(axes.begin(), axes.end(), 2);
    return axes;
}

Tensors global_average(const Call& call) {
    return {call.in[0].mean(spatial_axes(call), /*keepdim=*/true)};
}

Tensors global_max(const Call& call) {
    return {call.in[0].amax(spatial_axes(call), /*keepdim=*/true)};
}

Tensors global_lp(const Call& call) {
    const auto p = static_cast<double>(call.node.int_or("p", 2));
    if (p < 1) call.refuse(fmt::format("p {}; at least 1", p));
    return {call.in[0].abs().pow(p).sum(spatial_axes(call), /*keepdim=*/true).pow(1 / p)};
}

constexpr Operator kOperators[] = {
    {"AveragePool", average_pool},
    {"BatchNormalization", batch_norm},
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
    {"Gemm", gemm},
    {"GlobalAveragePool", global_average},
    {"GlobalLpPool", global_lp},
    {"GlobalMaxPool", global_max},
    {"LpPool", lp_pool},
    {"MatMul", matmul},
    {"MaxPool", max_pool},
    {"MaxUnpool", max_unpool},
};

}  // namespace

std::span<const Operator> layer_operators() { return kOperators; }

Tensor convolve(const Call& call, Tensor x, const Tensor& w, const Tensor& bias) {
    Window window = window_of(call, x, kernel_of(w));
    if (!window.symmetric()) x = padded(x, window, 0);
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
    const Tensor y = convolve_quickly(image, kernel, bias, {0, 0}, {1, 1}, {1, 1}, 1);
    return y.permute({0, 2, 3, 1}).reshape({rows, outputs});
}

}  // namespace adiabat::torch
