// SPDX-License-Identifier: Apache-2.0
//
// Operators that look at many elements at once without a window: reductions, running sums,
// normalization, softmax, products over letters (Einsum).

#include <algorithm>
#include <limits>
#include <numeric>

#include "adiabat/base/errors.h"
#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

using Axes = std::vector<int64_t>;

bool floats(const Tensor& x) { return at::isFloatingType(x.scalar_type()); }

// ---- reductions

// What a reduction does to the elements before it, over nothing at all, and over some axes.
using OverAxes = Tensor (*)(const Tensor&, at::IntArrayRef, bool);

Tensor sum_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return x.sum(axes, keep, x.scalar_type());
}
Tensor mean_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return floats(x) ? x.mean(axes, keep) : x.to(at::kDouble).mean(axes, keep).trunc();
}
Tensor l1_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return sum_over(x.abs(), axes, keep);
}
Tensor squares_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return sum_over(x * x, axes, keep);
}
Tensor l2_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return squares_over(floats(x) ? x : x.to(at::kDouble), axes, keep).sqrt();
}
Tensor log_sum_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return sum_over(floats(x) ? x : x.to(at::kDouble), axes, keep).log();
}
Tensor log_sum_exp_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return at::logsumexp(floats(x) ? x : x.to(at::kDouble), axes, keep);
}

Tensor product_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    Axes order(axes.begin(), axes.end());
    std::sort(order.rbegin(), order.rend());
    Tensor y = x;
    for (int64_t axis : order) y = y.prod(axis, keep, x.scalar_type());
    return y;
}

// The largest of no elements is the lowest number there is.
Tensor extreme_of_nothing(const Tensor& x, at::IntArrayRef axes, bool keep, bool largest,
                          net::DType type) {
    const Tensor shape = sum_over(x, axes, keep);
    if (floats(x) && net::is_floating(type)) {
        const double infinity = std::numeric_limits<double>::infinity();
        return at::full_like(shape, largest ? -infinity : infinity);
    }
    if (x.scalar_type() == at::kBool) return at::full_like(shape, !largest);
    if (x.scalar_type() == at::kInt) {
        using Limits = std::numeric_limits<int32_t>;
        return at::full_like(shape, largest ? Limits::min() : Limits::max());
    }
    if (x.scalar_type() == at::kLong) {
        using Limits = std::numeric_limits<int64_t>;
        const bool is_unsigned = type != net::DType::kInt64;
        const int64_t most = type == net::DType::kUint32 ? 0xFFFFFFFFll
                             : is_unsigned               ? -1  // the bits of the largest uint64
                                                         : Limits::max();
        return at::full_like(shape, !largest ? most : is_unsigned ? 0 : Limits::min());
    }
    const auto [low, high] = code_range(type);
    return at::full_like(shape, largest ? low : high);
}

// Axes are an attribute or an input; none of them means all, or none with noop_with_empty_axes. A
// scalar is a vector of one element.
struct Reduced {
    Tensor x;
    Axes axes;
    bool keep = true;
};

Reduced reduced(const Call& call) {
    Reduced r{call.in[0], call.ints(1, "axes"), call.node.int_or("keepdims", 1) != 0};
    const bool all = r.axes.empty() && call.node.int_or("noop_with_empty_axes", 0) == 0;
    if (r.x.dim() == 0 && (all || !r.axes.empty())) {
        return {r.x.reshape({1}), {0}, false};
    }
    for (int64_t& axis : r.axes) axis = positive_axis(axis, r.x.dim());
    if (all) {
        r.axes.resize(static_cast<size_t>(r.x.dim()));
        std::iota(r.axes.begin(), r.axes.end(), 0);
    }
    return r;
}

// Over no axes each element is a set of its own.
template <OverAxes over>
Tensors reduce(const Call& call) {
    const Reduced r = reduced(call);
    if (r.axes.empty()) return {over(r.x.unsqueeze(-1), {-1}, false)};
    return {over(r.x, r.axes, r.keep)};
}

template <bool largest>
Tensors extreme(const Call& call) {
    const Reduced r = reduced(call);
    if (r.axes.empty()) return {r.x};
    if (r.x.numel() == 0) {
        return {extreme_of_nothing(r.x, r.axes, r.keep, largest, call.out_type)};
    }
    return {largest ? r.x.amax(r.axes, r.keep) : r.x.amin(r.axes, r.keep)};
}

template <bool largest>
Tensors arg_extreme(const Call& call) {
    Tensor x = call.in[0];
    if (x.dim() == 0) return {at::zeros({}, at::kLong)};
    const int64_t axis = positive_axis(call.node.int_or("axis", 0), x.dim());
    const bool keep = call.node.int_or("keepdims", 1) != 0;
    const bool last = call.node.int_or("select_last_index", 0) != 0;
    if (last) x = x.flip(axis);
    const Tensor index = largest ? x.argmax(axis, keep) : x.argmin(axis, keep);
    return {last ? x.size(axis) - 1 - index : index};
}

// Running sums and products along one axis, which is an input.
template <Tensor (*along)(const Tensor&, int64_t, c10::optional<at::ScalarType>), int64_t neutral>
Tensors running(const Call& call) {
    Tensor x = call.in[0];
    const int64_t axis = positive_axis(call.in[1].item().toLong(), x.dim());
    const bool reverse = call.node.int_or("reverse", 0) != 0;
    if (reverse) x = x.flip(axis);
    if (call.node.int_or("exclusive", 0) != 0 && x.size(axis) > 0) {
        const Tensor first = at::full_like(x.narrow(axis, 0, 1), neutral);
        x = at::cat({first, x.narrow(axis, 0, x.size(axis) - 1)}, axis);
    }
    const Tensor y = along(x, axis, x.scalar_type());
    return {reverse ? y.flip(axis) : y};
}

// ---- softmax

// Before opset 13 all dimensions from `axis` on are one.
template <typename Apply>
Tensor over_axis(const Call& call, Apply apply) {
    const Tensor& x = call.in[0];
    if (call.opset >= 13) return apply(x, positive_axis(call.node.int_or("axis", -1), x.dim()));
    const int64_t axis = positive_axis(call.node.int_or("axis", 1), x.dim());
    if (axis == x.dim()) return apply(x.unsqueeze(-1), x.dim()).squeeze(-1);
    return apply(x.flatten(axis), axis).reshape(x.sizes());
}

Tensors softmax(const Call& call) {
    return {over_axis(call, [](const Tensor& x, int64_t axis) { return at::softmax(x, axis); })};
}

Tensors log_softmax(const Call& call) {
    return {
        over_axis(call, [](const Tensor& x, int64_t axis) { return at::log_softmax(x, axis); })};
}

// 1 at the first largest element.
Tensors hardmax(const Call& call) {
    return {over_axis(call, [](const Tensor& x, int64_t axis) {
        return at::zeros_like(x).scatter(axis, x.argmax(axis, /*keepdim=*/true), 1);
    })};
}

// ---- normalization

struct Normalized {
    Tensor y, mean, inverse;  // inverse standard deviation
};

Normalized normalize(const Tensor& x, const Axes& axes, double epsilon) {
    Normalized n;
    n.mean = x.mean(axes, /*keepdim=*/true);
    const Tensor centered = x - n.mean;
    n.inverse = at::rsqrt((centered * centered).mean(axes, /*keepdim=*/true) + epsilon);
    n.y = centered * n.inverse;
    return n;
}

Axes axes_from(int64_t first, int64_t rank) {
    Axes axes;
    for (int64_t d = first; d < rank; ++d) axes.push_back(d);
    return axes;
}

// A parameter of one entry a channel, shaped to meet [N, C, ...].
Tensor by_channel(const Tensor& parameter, const Tensor& x) {
    Axes dims(static_cast<size_t>(x.dim()), 1);
    if (x.dim() > 1) dims[1] = parameter.size(0);
    return parameter.reshape(dims);
}

double epsilon_of(const Call& call) { return call.node.float_or("epsilon", 1e-5f); }

Tensors instance_normalization(const Call& call) {
    const Tensor& x = call.in[0];
    if (x.dim() < 3) call.refuse("an input without spatial dimensions");
    const Tensor y = normalize(x, axes_from(2, x.dim()), epsilon_of(call)).y;
    return {y * by_channel(call.in[1], x) + by_channel(call.in[2], x)};
}

// Since opset 21 there is one scale a channel, before one a group.
Tensors group_normalization(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t groups = call.node.int_or("num_groups", 1);
    if (x.dim() < 2 || groups < 1 || x.size(1) % groups != 0) {
        call.refuse(fmt::format("{} groups of an input of {} channels", groups,
                                x.dim() < 2 ? 0 : x.size(1)));
    }
    const Tensor grouped = x.reshape({x.size(0), groups, x.numel() == 0 ? 0 : -1});
    const Tensor y = normalize(grouped, {2}, epsilon_of(call)).y.reshape(x.sizes());
    const auto by = [&](const Tensor& parameter) {
        const bool by_group = parameter.size(0) == groups && groups != x.size(1);
        return by_channel(by_group ? parameter.repeat_interleave(x.size(1) / groups) : parameter,
                          x);
    };
    return {y * by(call.in[1]) + by(call.in[2])};
}

Tensors layer_normalization(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = positive_axis(call.node.int_or("axis", -1), x.dim());
    Normalized n = normalize(x, axes_from(axis, x.dim()), epsilon_of(call));
    Tensor y = n.y * call.in[1];
    if (call.given(2)) y = y + call.in[2];
    return {y, n.mean, n.inverse};
}

Tensors rms_normalization(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t axis = positive_axis(call.node.int_or("axis", -1), x.dim());
    const Tensor power = (x * x).mean(axes_from(axis, x.dim()), /*keepdim=*/true);
    return {x * at::rsqrt(power + epsilon_of(call)) * call.in[1]};
}

// x / (bias + alpha / size * sum of the squares of `size` channels around)^beta
Tensors local_response(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t size = call.node.int_or("size", 1);
    if (x.dim() < 2 || size < 1) call.refuse("needs channels and a size of 1 or more");
    Axes pads(static_cast<size_t>(2 * (x.dim() - 1)), 0);
    pads[pads.size() - 2] = (size - 1) / 2;
    pads.back() = size - 1 - (size - 1) / 2;
    const Tensor squares = at::constant_pad_nd(x * x, pads, 0);
    Tensor sum = squares.narrow(1, 0, x.size(1));
    for (int64_t k = 1; k < size; ++k) sum = sum + squares.narrow(1, k, x.size(1));
    const double alpha = call.node.float_or("alpha", 1e-4f),
                 beta = call.node.float_or("beta", 0.75f);
    const double bias = call.node.float_or("bias", 1);
    return {x / at::pow(sum * (alpha / static_cast<double>(size)) + bias, beta)};
}

// A vector of zeros stays one.
Tensors lp_normalization(const Call& call) {
    const Tensor& x = call.in[0];
    const int64_t p = call.node.int_or("p", 2);
    const int64_t axis = positive_axis(call.node.int_or("axis", -1), x.dim());
    const Tensor norm = p == 1 ? x.abs().sum(axis, true) : (x * x).sum(axis, true).sqrt();
    return {at::where(norm == 0, at::zeros_like(x), x / norm)};
}

Tensors mean_variance_normalization(const Call& call) {
    const Tensor& x = call.in[0];
    Axes axes = call.node.ints_or("axes", {0, 2, 3});
    for (int64_t& axis : axes) axis = positive_axis(axis, x.dim());
    const Tensor mean = x.mean(axes, /*keepdim=*/true), centered = x - mean;
    const Tensor variance = (centered * centered).mean(axes, /*keepdim=*/true);
    return {centered / (variance.sqrt() + 1e-9)};
}

// ---- products

Tensors einsum(const Call& call) {
    std::string equation = call.node.string_or("equation", "");
    equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
    return {at::einsum(equation, at::TensorList(call.in.data(), call.in.size()))};
}

// By elimination with pivoting, one matrix at a time: LibTorch needs LAPACK for it.
double determinant(double* a, int64_t n) {
    double product = 1;
    for (int64_t k = 0; k < n; ++k) {
        int64_t pivot = k;
        for (int64_t row = k + 1; row < n; ++row) {
            if (std::abs(a[row * n + k]) > std::abs(a[pivot * n + k])) pivot = row;
        }
        if (a[pivot * n + k] == 0) return 0;
        if (pivot != k) {
            std::swap_ranges(a + k * n, a + (k + 1) * n, a + pivot * n);
            product = -product;
        }
        product *= a[k * n + k];
        for (int64_t row = k + 1; row < n; ++row) {
            const double factor = a[row * n + k] / a[k * n + k];
            for (int64_t c = k; c < n; ++c) a[row * n + c] -= factor * a[k * n + c];
        }
    }
    return product;
}

Tensors det(const Call& call) {
    const Tensor& x = call.in[0];
    if (x.dim() < 2 || x.size(-1) != x.size(-2)) call.refuse("the matrices are not square");
    const int64_t n = x.size(-1);
    Tensor work = x.detach().to(at::kDouble, /*non_blocking=*/false, /*copy=*/true).contiguous();
    const int64_t count = n == 0 ? 0 : work.numel() / (n * n);
    Tensor out = at::ones(x.sizes().slice(0, static_cast<size_t>(x.dim() - 2)), at::kDouble);
    for (int64_t k = 0; k < count; ++k) {
        out.data_ptr<double>()[k] = determinant(work.data_ptr<double>() + k * n * n, n);
    }
    return {out};
}

constexpr Operator kOperators[] = {
    {"ArgMax", arg_extreme<true>},
    {"ArgMin", arg_extreme<false>},
    {"CumProd", running<at::cumprod, 1>},
    {"CumSum", running<at::cumsum, 0>},
    {"Det", det},
    {"Einsum", einsum},
    {"GroupNormalization", group_normalization},
    {"Hardmax", hardmax},
    {"InstanceNormalization", instance_normalization},
    {"LRN", local_response},
    {"LayerNormalization", layer_normalization},
    {"LogSoftmax", log_softmax},
    {"LpNormalization", lp_normalization},
    {"MeanVarianceNormalization", mean_variance_normalization},
    {"RMSNormalization", rms_normalization},
    {"ReduceL1", reduce<l1_over>},
    {"ReduceL2", reduce<l2_over>},
    {"ReduceLogSum", reduce<log_sum_over>},
    {"ReduceLogSumExp", reduce<log_sum_exp_over>},
    {"ReduceMax", extreme<true>},
    {"ReduceMean", reduce<mean_over>},
    {"ReduceMin", extreme<false>},
    {"ReduceProd", reduce<product_over>},
    {"ReduceSum", reduce<sum_over>},
    {"ReduceSumSquare", reduce<squares_over>},
    {"Softmax", softmax},
};

}  // namespace

std::span<const Operator> reducing_operators() { return kOperators; }

}  // namespace adiabat::torch
