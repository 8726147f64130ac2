// SPDX-License-Identifier: Apache-2.0
#include "adiabat/torch/coding.h"

#include <algorithm>
#include <vector>

namespace adiabat::torch {

using at::Tensor;
using ::torch::autograd::AutogradContext;
using ::torch::autograd::Function;
using ::torch::autograd::variable_list;

namespace {

// Added and taken off again, it rounds what is below 2^22 to the nearest integer, halves to even.
constexpr float kRounder = 12582912.0f;

// The same values, each element in memory once.
Tensor dense(const Tensor& x) { return x.is_non_overlapping_and_dense() ? x : x.contiguous(); }

// `values` in the memory order of `like`, of the same sizes.
Tensor laid_out_as(const Tensor& like, const Tensor& values) {
    if (values.strides() == like.strides()) return values;
    return at::empty_like(like).copy_(values);
}

// The sum of body(k), the elements added in float a few at a time and in double beyond.
template <typename Body>
double sum(int64_t n, const Body& body) {
    constexpr int64_t kLanes = 16, kBlock = 4096;
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += kBlock) {
        const int64_t end = std::min(n, begin + kBlock), whole = end - (end - begin) % kLanes;
        float lanes[kLanes] = {};
        for (int64_t k = begin; k < whole; k += kLanes) {
            for (int64_t lane = 0; lane < kLanes; ++lane) lanes[lane] += body(k + lane);
        }
        for (int64_t k = whole; k < end; ++k) lanes[k - whole] += body(k);
        for (float lane : lanes) total += static_cast<double>(lane);
    }
    return total;
}

struct Code : Function<Code> {
    static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& scale,
                          double zero, double lowest, double highest) {
        const Tensor values = dense(x);
        const float s = scale.item<float>(), z = static_cast<float>(zero),
                    low = static_cast<float>(lowest - zero),
                    high = static_cast<float>(highest - zero);
        Tensor codes = at::empty_like(values);
        const float* const from = values.data_ptr<float>();
        float* const to = codes.data_ptr<float>();
        const int64_t n = values.numel();
        // The bounds are integers, so that it does not matter that they come first.
        for (int64_t k = 0; k < n; ++k) {
            const float bounded = std::min(std::max(from[k] / s, low), high);
            to[k] = (bounded + kRounder) - kRounder + z;
        }
        context->save_for_backward({values, scale});
        context->saved_data["low"] = lowest - zero;
        context->saved_data["high"] = highest - zero;
        return codes;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &values = saved[0], &scale = saved[1];
        const Tensor of_codes = laid_out_as(values, gradients[0]);
        const float s = scale.item<float>();
        const auto low = static_cast<float>(context->saved_data["low"].toDouble()),
                   high = static_cast<float>(context->saved_data["high"].toDouble());
        Tensor of_values = at::empty_like(values);
        const float *const x = values.data_ptr<float>(), *const g = of_codes.data_ptr<float>();
        float* const to = of_values.data_ptr<float>();
        const int64_t n = values.numel();
        for (int64_t k = 0; k < n; ++k) {
            const float quotient = x[k] / s;
            const bool is_inside = (quotient >= low) & (quotient <= high);  // & has no branch
            to[k] = (is_inside ? g[k] : 0.0f) / s;
        }
        Tensor of_scale;
        if (scale.requires_grad()) {
            const double total = sum(n, [&](int64_t k) { return to[k] * x[k]; });
            of_scale = at::full_like(scale, -total / static_cast<double>(s));
        }
        return {of_values, of_scale, {}, {}, {}};
    }
};

struct Value : Function<Value> {
    static Tensor forward(AutogradContext* context, const Tensor& codes, const Tensor& scale,
                          double zero) {
        const Tensor from = dense(codes);
        const float s = scale.item<float>(), z = static_cast<float>(zero);
        Tensor values = at::empty_like(from);
        const float* const q = from.data_ptr<float>();
        float* const to = values.data_ptr<float>();
        const int64_t n = from.numel();
        for (int64_t k = 0; k < n; ++k) to[k] = (q[k] - z) * s;
        context->save_for_backward({scale.requires_grad() ? from : Tensor(), scale});
        context->saved_data["zero"] = zero;
        return values;
    }

    static variable_list backward(AutogradContext* context, variable_list gradients) {
        const auto saved = context->get_saved_variables();
        const Tensor &codes = saved[0], &scale = saved[1];
        Tensor of_scale;
        if (scale.requires_grad()) {
            const Tensor of_values = laid_out_as(codes, gradients[0]);
            const float *const q = codes.data_ptr<float>(), *const g = of_values.data_ptr<float>();
            const auto z = static_cast<float>(context->saved_data["zero"].toDouble());
            of_scale = at::full_like(
                scale, sum(codes.numel(), [&](int64_t k) { return g[k] * (q[k] - z); }));
        }
        return {gradients[0] * scale.item<float>(), of_scale, {}};
    }
};

}  // namespace

Tensor coded(const Tensor& x, const Tensor& scale, float zero, float lowest, float highest) {
    return Code::apply(x, scale, static_cast<double>(zero), static_cast<double>(lowest),
                       static_cast<double>(highest));
}

Tensor decoded(const Tensor& codes, const Tensor& scale, float zero) {
    return Value::apply(codes, scale, static_cast<double>(zero));
}

}  // namespace adiabat::torch
