// SPDX-License-Identifier: Apache-2.0
//
// Operators on codes, each with its scales and zero points among its inputs: those of ONNX
// (QLinearConv, ConvInteger, ...) and those that ONNX Runtime's quantizer writes (com.microsoft).
//
// Sums of products are exact: in float while they stay below 2^24, else in double. The others are
// computed in real numbers and rounded, as the runtime does; its tables and fixed-point factors may
// differ by one code.

#include <algorithm>
#include <string>

#include "adiabat/base/errors.h"
#include "adiabat/torch/operators.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

// A parameter of one entry, or one entry along `axis` of an array of that rank.
Tensor along(const Tensor& parameter, int64_t axis, int64_t rank) {
    if (parameter.numel() == 1) return parameter.reshape({});
    if (parameter.dim() != 1) return parameter;
    std::vector<int64_t> dims(static_cast<size_t>(rank), 1);
    dims[static_cast<size_t>(positive_axis(axis, rank))] = parameter.size(0);
    return parameter.reshape(dims);
}

Tensor centered(const Call& call, size_t code, size_t zero, int64_t axis) {
    if (!call.given(zero)) return call.in[code];
    return call.in[code] - along(call.in[zero], axis, call.in[code].dim());
}

Tensor real_of(const Call& call, size_t code, size_t scale, size_t zero) {
    return centered(call, code, zero, 1) * along(call.in[scale], 1, call.in[code].dim());
}

// round(x / scale) + zero within the codes of the type; `quotient` is x / scale.
Tensor codes_of(const Tensor& quotient, const Tensor& zero, net::DType type) {
    const auto [low, high] = code_range(type);
    if (!zero.defined()) return round_to_range(quotient, low, high, false);
    if (zero.numel() == 1) {
        const float z = zero.item().toFloat();
        return round_to_range(quotient, low - z, high - z, false) + z;
    }
    return at::clamp(at::round(quotient) + zero, low, high);
}

Tensor quantized(const Call& call, const Tensor& x, size_t scale, size_t zero) {
    return codes_of(x / call.in[scale].reshape({}),
                    call.given(zero) ? call.in[zero].reshape({}) : Tensor(), call.out_type);
}

// Whether sums over all but the first dimension of w, times inputs below 2^8, leave 2^24.
bool needs_double(const Tensor& w) {
    return w.numel() > 0 &&
           w.abs().flatten(1).sum(1).max().item().toDouble() * 256 > double{1 << 24};
}

// ---- sums of products

Tensor convolve_codes(const Call& call, Tensor x, Tensor w) {
    if (needs_double(w)) {
        x = x.to(at::kDouble);
        w = w.to(at::kDouble);
    }
    return convolve(call, x, w, {});
}

// x, its zero point and w, its zero point (one a filter or one for all).
Tensors conv_integer(const Call& call) {
    return {convolve_codes(call, centered(call, 0, 2, 1), centered(call, 1, 3, 0))};
}

Tensors qlinear_conv(const Call& call) {
    const Tensor w = centered(call, 3, 5, 0);
    Tensor sum = convolve_codes(call, centered(call, 0, 2, 1), w);
    if (call.given(8)) sum = sum + along(call.in[8], 1, sum.dim());
    const Tensor factor =
        call.in[1].reshape({}) * along(call.in[4], 1, sum.dim()) / call.in[6].reshape({});
    return {codes_of(sum.to(at::kFloat) * factor, call.in[7].reshape({}), call.out_type)};
}

Tensor multiply_codes(const Tensor& a, const Tensor& b) {
    return at::matmul(a.to(at::kDouble), b.to(at::kDouble));
}

// Scales of the rows of a matrix on the left and of the columns of one on the right.
Tensor of_rows(const Tensor& parameter) {
    return parameter.dim() == 1 && parameter.numel() > 1 ? parameter.unsqueeze(-1) : parameter;
}

Tensors matmul_integer(const Call& call) {
    const Tensor a = call.given(2) ? call.in[0] - of_rows(call.in[2]) : call.in[0];
    const Tensor b = call.given(3) ? call.in[1] - call.in[3] : call.in[1];
    return {multiply_codes(a, b)};
}

Tensors qlinear_matmul(const Call& call) {
    const Tensor sum = multiply_codes(call.in[0] - of_rows(call.in[2]), call.in[3] - call.in[5]);
    const Tensor factor = of_rows(call.in[1]) * call.in[4] / of_rows(call.in[6]);
    return {codes_of(sum.to(at::kFloat) * factor, of_rows(call.in[7]), call.out_type)};
}

// A, its scale and zero point, B, its, the int32 bias, the result's scale and zero point; without
// the last two the result is real.
Tensors qgemm(const Call& call) {
    const bool ta = call.node.int_or("transA", 0) != 0, tb = call.node.int_or("transB", 0) != 0;
    const Tensor a = centered(call, 0, 2, 1);
    const Tensor right = tb ? centered(call, 3, 5, 0).t() : centered(call, 3, 5, 1);
    Tensor sum = multiply_codes(ta ? a.t() : a, right);
    if (call.given(6)) sum = sum + call.in[6];
    const Tensor scale_b = call.in[4].numel() == 1 ? call.in[4].reshape({}) : call.in[4];
    const Tensor factor =
        call.in[1].reshape({}) * scale_b * static_cast<double>(call.node.float_or("alpha", 1));
    if (!call.given(7)) return {sum.to(at::kFloat) * factor};
    return {codes_of(sum.to(at::kFloat) * (factor / call.in[7].reshape({})),
                     call.given(8) ? call.in[8].reshape({}) : Tensor(), call.out_type)};
}

// ---- in real numbers

// The operator of that name on real inputs.
Tensor apply(const Call& call, const char* op, Tensors in) {
    const std::vector<net::DType> types(in.size(), net::DType::kFloat);
    const Call real{call.node, call.opset, in, net::DType::kFloat, types, {types.data(), 1}};
    return find_operator(op)(real)[0];
}

// x, its scale and zero point, the result's scale and zero point.
Tensors qlinear_unary(const Call& call) {
    const std::string name = call.node.op.substr(std::string("QLinear").size());
    Tensor x = real_of(call, 0, 1, 2);
    const bool last = call.node.int_or("channels_last", 0) != 0 && x.dim() > 2;
    if (last) x = x.movedim(-1, 1);
    Tensor y = apply(call, name.c_str(), {x});
    if (last) y = y.movedim(1, -1);
    return {quantized(call, y, 3, 4)};
}

// Two inputs, each with its scale and zero point, then those of the result.
Tensors qlinear_binary(const Call& call) {
    const bool adds = call.node.op == "QLinearAdd";
    const Tensor a = real_of(call, 0, 1, 2), b = real_of(call, 3, 4, 5);
    return {quantized(call, adds ? a + b : a * b, 6, 7)};
}

// The result's scale and zero point, then three a part.
Tensors qlinear_concat(const Call& call) {
    Tensors parts;
    for (size_t k = 2; k + 2 < call.in.size(); k += 3) {
        parts.push_back(real_of(call, k, k + 1, k + 2));
    }
    const Tensor all = at::cat(parts, call.node.int_or("axis", 0));
    return {quantized(call, all, 0, 1)};
}

// Softmax there says itself which opset it has the meaning of.
Tensors qlinear_softmax(const Call& call) {
    const Tensor x = real_of(call, 0, 1, 2);
    const auto opset = static_cast<int>(call.node.int_or("opset", 13));
    Tensors in = {x};
    const std::vector<net::DType> types(1, net::DType::kFloat);
    const Call real{call.node, opset, in, net::DType::kFloat, types, types};
    return {quantized(call, find_operator("Softmax")(real)[0], 3, 4)};
}

// The range of x, 0 included, in 255 steps: codes, scale, zero point.
Tensors dynamic_quantize(const Call& call) {
    const Tensor& x = call.in[0];
    if (x.numel() == 0) call.refuse("an input without elements has no range");
    const Tensor low = at::clamp_max(x.min(), 0), high = at::clamp_min(x.max(), 0);
    const Tensor scale = (high - low) / 255;
    const Tensor divisor = at::where(scale == 0, at::ones_like(scale), scale);
    const Tensor zero = at::round(at::clamp(-low / divisor, 0, 255));
    return {at::clamp(at::round(x / divisor) + zero, 0, 255), scale, zero};
}

constexpr Operator kOperators[] = {
    {"ConvInteger", conv_integer},
    {"DynamicQuantizeLinear", dynamic_quantize},
    {"MatMulInteger", matmul_integer},
    {"QLinearConv", qlinear_conv},
    {"QLinearMatMul", qlinear_matmul},
    {"com.microsoft.QGemm", qgemm},
    {"com.microsoft.QLinearAdd", qlinear_binary},
    {"com.microsoft.QLinearAveragePool", qlinear_unary},
    {"com.microsoft.QLinearConcat", qlinear_concat},
    {"com.microsoft.QLinearConv", qlinear_conv},
    {"com.microsoft.QLinearGlobalAveragePool", qlinear_unary},
    {"com.microsoft.QLinearLeakyRelu", qlinear_unary},
    {"com.microsoft.QLinearMul", qlinear_binary},
    {"com.microsoft.QLinearSigmoid", qlinear_unary},
    {"com.microsoft.QLinearSoftmax", qlinear_softmax},
};

}  // namespace

std::span<const Operator> integer_operators() { return kOperators; }

}  // namespace adiabat::torch
