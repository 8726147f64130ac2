// SPDX-License-Identifier: Apache-2.0
#include "adiabat/torch/quantized.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "adiabat/base/errors.h"
#include "adiabat/net/cast.h"
#include "adiabat/torch/coding.h"
#include "adiabat/torch/tensors.h"

namespace adiabat::torch {

using at::Tensor;
using Tensors = std::vector<Tensor>;

namespace {

// A scale or zero point of n entries lies along `axis`; one of the input's rank holds for blocks
// along it.
Tensor along_axis(const Call& call, const Tensor& parameter) {
    if (parameter.numel() == 1) return parameter.reshape({});
    const Tensor& x = call.in[0];
    const int64_t axis = positive_axis(call.node.int_or("axis", 1), x.dim());
    if (axis < 0 || axis >= x.dim()) call.refuse("the scale's axis is not there");
    if (parameter.dim() == x.dim() && call.node.int_or("block_size", 0) > 0) {
        const Tensor each = parameter.repeat_interleave(call.node.int_or("block_size", 0), axis);
        if (each.size(axis) < x.size(axis)) call.refuse("the blocks do not cover the input");
        return each.narrow(axis, 0, x.size(axis));
    }
    if (parameter.dim() != 1 || x.size(axis) != parameter.size(0)) {
        call.refuse("the scale fits no axis");
    }
    std::vector<int64_t> dims(static_cast<size_t>(x.dim()), 1);
    dims[static_cast<size_t>(axis)] = parameter.size(0);
    return parameter.reshape(dims);
}

// To one of the float8 kinds or float4, which hold fractions: no rounding to integers.
Tensors quantize_to_float(const Call& call) {
    Tensor x = call.in[0] / along_axis(call, call.in[1]);
    if (call.given(2)) x = x + along_axis(call, call.in[2]);
    const net::CastOptions options = net::cast_options(call.node);
    const net::Tensor real = from_torch(x.to(at::kFloat), net::DType::kFloat);
    return {to_torch(net::cast_tensor(real, call.out_type, options)).clone()};
}

// The zero point of a call that coding.h is for.
std::optional<float> recorded_zero(const Call& call) {
    const Tensor &x = call.in[0], &scale = call.in[1];
    const bool records = at::GradMode::is_enabled() && (x.requires_grad() || scale.requires_grad());
    if (!records || x.scalar_type() != at::kFloat || scale.scalar_type() != at::kFloat ||
        scale.numel() != 1 || (call.given(2) && call.in[2].numel() != 1)) {
        return {};
    }
    return call.given(2) ? call.in[2].item().toFloat() : 0.0f;
}

Tensors quantize(const Call& call) {
    if (net::is_floating(call.out_type)) return quantize_to_float(call);
    const auto [low, high] = code_range(call.out_type);
    if (const auto zero = recorded_zero(call)) {
        return {coded(call.in[0], call.in[1].reshape({}), *zero, low, high)};
    }
    const bool in_place = call.may_overwrite(0) && call.in[0].scalar_type() == at::kFloat;
    Tensor x = in_place ? call.in[0].div_(along_axis(call, call.in[1]))
                        : call.in[0] / along_axis(call, call.in[1]);
    if (!call.given(2)) return {round_to_range(x, low, high, true)};
    const Tensor zero = along_axis(call, call.in[2]).to(at::kFloat);
    if (zero.numel() == 1) {
        const float z = zero.item<float>();
        x = round_to_range(x, low - z, high - z, true);
        if (z == 0) return {x};
        return {at::GradMode::is_enabled() ? x + z : x.add_(z)};
    }
    const Tensor rounded = at::round(x.detach()) + zero;
    const Tensor codes = at::clamp(rounded, low, high);
    if (!x.requires_grad()) return {codes};
    const Tensor inside = (rounded == codes).to(at::kFloat);
    return {codes + (x - x.detach()) * inside};
}

Tensors dequantize(const Call& call) {
    Tensor x = call.in[0];
    if (const auto zero = recorded_zero(call)) return {decoded(x, call.in[1].reshape({}), *zero)};
    bool mine = false;
    if (call.given(2)) {
        const Tensor zero = along_axis(call, call.in[2]);
        if (zero.numel() != 1 || zero.item().toDouble() != 0) {
            x = x - zero;
            mine = !at::GradMode::is_enabled();
        }
    }
    const Tensor scale = along_axis(call, call.in[1]);
    if (mine && x.scalar_type() == at::kFloat) return {x.mul_(scale)};
    return {x.to(at::kFloat) * scale};
}

constexpr Operator kOperators[] = {
    {"DequantizeLinear", dequantize},
    {"QuantizeLinear", quantize},
};

// ---- integer layers

bool is_conv(const net::Node& node) { return node.op == "Conv"; }

// The weight as [filters, inputs, kernel...], zero point taken off; float.
Tensor centered_weight(const net::Node& node, Tensor w, const Tensor& zero) {
    const bool columns =
        node.op == "MatMul" || (node.op == "Gemm" && node.int_or("transB", 0) == 0);
    if (columns) w = w.t();
    if (!zero.defined()) return w.contiguous();
    std::vector<int64_t> dims(static_cast<size_t>(w.dim()), 1);
    if (zero.numel() > 1) dims[0] = zero.numel();
    return (w - zero.reshape(dims)).contiguous();
}

// Cuts the input channels so that no group's partial sums leave +-limit. Empty where one channel
// does.
std::vector<int64_t> exact_groups(const Tensor& w, double largest_x, double limit) {
    // Per filter and channel: the largest value that the channel's sum can reach.
    const Tensor reach =
        (w.to(at::kDouble).abs().flatten(1).reshape({w.size(0), w.size(1), -1}).sum(-1) * largest_x)
            .contiguous();
    const auto* r = reach.data_ptr<double>();
    const int64_t filters = w.size(0), channels = w.size(1);
    std::vector<int64_t> widths;
    std::vector<double> sums(static_cast<size_t>(filters), 0.0);
    int64_t width = 0;
    for (int64_t c = 0; c < channels; ++c) {
        double with = 0, alone = 0;
        for (int64_t f = 0; f < filters; ++f) {
            const double v = r[f * channels + c];
            alone = std::max(alone, v);
            with = std::max(with, sums[static_cast<size_t>(f)] + v);
        }
        if (alone > limit) return {};
        if (with > limit) {
            widths.push_back(width);
            width = 0;
            std::fill(sums.begin(), sums.end(), 0.0);
        }
        for (int64_t f = 0; f < filters; ++f) sums[static_cast<size_t>(f)] += r[f * channels + c];
        ++width;
    }
    widths.push_back(width);
    return widths;
}

Tensor sum_of_products(const Call& call, const Tensor& x, const Tensor& w, const Tensor& bias) {
    if (is_conv(call.node)) return convolve(call, x, w, bias);
    if (x.dim() == 2) return affine_rows(x, w, bias);
    std::vector<int64_t> dims(x.sizes().begin(), x.sizes().end());
    dims.back() = w.size(0);
    return affine_rows(x.reshape({-1, w.size(1)}), w, bias).reshape(dims);
}

// Channels begin..begin+width of every convolution group.
Tensor channels_of(const Call& call, const Tensor& x, int64_t begin, int64_t width) {
    if (!is_conv(call.node)) return x.narrow(-1, begin, width);
    const int64_t groups = call.node.int_or("group", 1);
    if (groups == 1) return x.narrow(1, begin, width);
    std::vector<int64_t> dims(x.sizes().begin(), x.sizes().end());
    dims[1] = groups * width;
    return x.unflatten(1, {groups, -1}).narrow(2, begin, width).reshape(dims);
}

Tensor accumulate(const Call& call, const PreparedLayer& layer) {
    Tensor x = call.in[0];
    if (layer.zero_x != 0)
        x = call.may_overwrite(0) ? call.in[0].sub_(layer.zero_x) : x - layer.zero_x;
    if (!layer.wide) return sum_of_products(call, x, layer.weights[0], layer.bias);
    Tensor total;
    int64_t begin = 0;
    for (size_t k = 0; k < layer.weights.size(); ++k) {
        const Tensor& w = layer.weights[k];
        const Tensor part =
            layer.weights.size() == 1 ? x : channels_of(call, x, begin, layer.widths[k]);
        const Tensor sum = sum_of_products(call, part.to(w.scalar_type()), w, {}).to(at::kDouble);
        total = total.defined() ? total + sum : sum;
        begin += layer.widths[k];
    }
    if (layer.bias.defined()) total = total + layer.bias;
    return total.to(at::kFloat);
}

}  // namespace

std::span<const Operator> quantizing_operators() { return kOperators; }

PreparedLayer prepare_layer(const net::Graph& graph, const IntegerLayer& layer,
                            const std::function<Tensor(net::ValueId)>& constant,
                            net::DType type_of_x, double largest_exact) {
    const net::Node& node = graph.nodes[static_cast<size_t>(layer.node)];
    const auto number = [&](net::ValueId id) {
        return id == net::kNoValue ? 0.0f : constant(id).item().toFloat();
    };
    PreparedLayer out;
    out.zero_x = number(layer.of_x.zero_point);
    out.zero_y = number(layer.of_y.zero_point);
    const Tensor zero_w =
        layer.of_w.zero_point == net::kNoValue ? Tensor() : constant(layer.of_w.zero_point);
    const Tensor w = centered_weight(node, constant(layer.w), zero_w);

    const auto [low_x, high_x] = code_range(type_of_x);
    const double largest_x = std::max(high_x - out.zero_x, out.zero_x - low_x);
    Tensor bias = layer.b == net::kNoValue ? Tensor() : constant(layer.b).to(at::kDouble);
    const double largest_bias = bias.defined() ? bias.abs().max().item().toDouble() : 0.0;
    const auto with_bias = exact_groups(w, largest_x, largest_exact - largest_bias);
    out.wide = with_bias.size() != 1;
    if (!out.wide) {
        out.widths = with_bias;
        out.weights = {w.dim() == 4 ? w.contiguous(at::MemoryFormat::ChannelsLast) : w};
        if (bias.defined()) bias = bias.to(at::kFloat);
    } else if (out.widths = exact_groups(w, largest_x, largest_exact); out.widths.empty()) {
        out.widths = {w.size(1)};
        out.weights = {w.to(at::kDouble)};
    } else {
        int64_t begin = 0;
        for (int64_t width : out.widths) {
            out.weights.push_back(w.narrow(1, begin, width).contiguous());
            begin += width;
        }
    }
    std::vector<int64_t> dims{w.size(0)};  // of what multiplies the output or is added to it
    if (is_conv(node)) dims.insert(dims.end(), static_cast<size_t>(w.dim() - 2), 1);
    if (bias.defined()) out.bias = out.wide ? bias.reshape(dims) : bias;
    const Tensor scale_w = constant(layer.of_w.scale);
    out.to_real = constant(layer.of_x.scale).reshape({}) *
                  (scale_w.numel() == 1 ? scale_w.reshape({}) : scale_w.reshape(dims));
    if (layer.codes == net::kNoValue) return out;
    out.to_codes = out.to_real / constant(layer.of_y.scale).reshape({});
    const auto [low, high] = code_range(layer.code_type);
    out.lowest = low - out.zero_y;
    out.highest = high - out.zero_y;
    if (layer.rectified != net::kNoValue) out.lowest = std::max(out.lowest, 0.0f);
    return out;
}

std::array<Tensor, 3> run_layer(const Call& call, const PreparedLayer& layer,
                                const std::array<bool, 3>& wanted) {
    const bool recording = at::GradMode::is_enabled();
    Tensor acc = accumulate(call, layer);
    std::array<Tensor, 3> out;
    const auto [real, rectified, codes] = wanted;
    if (real || rectified) out[0] = acc * layer.to_real;
    if (rectified) out[1] = at::relu(out[0]);
    if (!real) out[0] = Tensor();
    if (!codes) return out;
    out[2] = round_to_range(recording ? acc * layer.to_codes : acc.mul_(layer.to_codes),
                            layer.lowest, layer.highest, /*overwrite=*/true);
    if (layer.zero_y != 0) out[2] = recording ? out[2] + layer.zero_y : out[2].add_(layer.zero_y);
    return out;
}

std::pair<float, float> code_range(net::DType type) {
    switch (type) {
        case net::DType::kUint2:
            return {0, 3};
        case net::DType::kInt2:
            return {-2, 1};
        case net::DType::kUint4:
            return {0, 15};
        case net::DType::kInt4:
            return {-8, 7};
        case net::DType::kUint8:
            return {0, 255};
        case net::DType::kInt8:
            return {-128, 127};
        case net::DType::kUint16:
            return {0, 65535};
        case net::DType::kInt16:
            return {-32768, 32767};
        default:
            break;
    }
    throw InputError("codes of type {}: known are the integers of 2, 4, 8 and 16 bits",
                     net::name_of(type));
}

Tensor round_to_range(Tensor x, float lowest, float highest, bool overwrite) {
    if (!at::GradMode::is_enabled()) {
        return overwrite ? x.round_().clamp_(lowest, highest)
                         : at::clamp(at::round(x), lowest, highest);
    }
    const Tensor codes = at::clamp(at::round(x.detach()), lowest, highest);
    const Tensor bounded = at::clamp(x, lowest, highest);
    return codes + (bounded - bounded.detach());  // adds an exact 0 that carries the gradient
}

}  // namespace adiabat::torch
