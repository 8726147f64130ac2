// SPDX-License-Identifier: Apache-2.0
//
// Operators without a window: elementwise ones, reductions, softmax, and those that only move data.

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

// Operators of one input that LibTorch has by the same meaning.
template <Tensor (*apply)(const Tensor&), Tensor& (*apply_in_place)(Tensor&)>
Tensors unary(const Call& call) {
    if (call.may_overwrite(0)) return {apply_in_place(call.in[0])};
    return {apply(call.in[0])};
}

Tensors leaky_relu(const Call& call) {
    return {at::leaky_relu(call.in[0], call.node.float_or("alpha", 0.01f))};
}

Tensors elu(const Call& call) { return {at::elu(call.in[0], call.node.float_or("alpha", 1))}; }

Tensors softplus(const Call& call) { return {at::softplus(call.in[0])}; }

Tensors gelu(const Call& call) {
    return {at::gelu(call.in[0], call.node.string_or("approximate", "none"))};
}

Tensors clip(const Call& call) {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const double low = call.number(1, "min", -kInfinity), high = call.number(2, "max", kInfinity);
    if (call.may_overwrite(0)) return {call.in[0].clamp_(low, high)};
    return {at::clamp(call.in[0], low, high)};
}

Tensors hard_sigmoid(const Call& call) {
    const double alpha = call.node.float_or("alpha", 0.2f), beta = call.node.float_or("beta", 0.5f);
    return {at::clamp(call.in[0] * alpha + beta, 0, 1)};
}

Tensors hard_swish(const Call& call) {
    return {call.in[0] * at::clamp(call.in[0] * (1.0 / 6) + 0.5, 0, 1)};
}

Tensors prelu(const Call& call) {
    const Tensor& x = call.in[0];
    return {at::where(x < 0, x * call.in[1], x)};
}

Tensors identity(const Call& call) { return {call.in[0]}; }

// Writing over an operand must neither change its shape nor its type.
bool absorbs(const Call& call, size_t k) {
    const Tensor &a = call.in[k], &b = call.in[1 - k];
    if (!call.may_overwrite(k) || a.scalar_type() != b.scalar_type() || a.dim() < b.dim())
        return false;
    for (int64_t d = 1; d <= b.dim(); ++d) {
        if (b.size(-d) != a.size(-d) && b.size(-d) != 1) return false;
    }
    return true;
}

Tensors add(const Call& call) {
    for (size_t k : {size_t{0}, size_t{1}}) {
        if (absorbs(call, k)) return {call.in[k].add_(call.in[1 - k])};
    }
    return {call.in[0] + call.in[1]};
}

Tensors multiply(const Call& call) {
    for (size_t k : {size_t{0}, size_t{1}}) {
        if (absorbs(call, k)) return {call.in[k].mul_(call.in[1 - k])};
    }
    return {call.in[0] * call.in[1]};
}

Tensors subtract(const Call& call) {
    if (absorbs(call, 0)) return {call.in[0].sub_(call.in[1])};
    return {call.in[0] - call.in[1]};
}

Tensors divide(const Call& call) {
    if (!at::isFloatingType(call.in[0].scalar_type())) {
        return {at::div(call.in[0], call.in[1], "trunc")};
    }
    if (absorbs(call, 0)) return {call.in[0].div_(call.in[1])};
    return {call.in[0] / call.in[1]};
}

Tensors power(const Call& call) { return {at::pow(call.in[0], call.in[1])}; }

template <Tensor (*apply)(const Tensor&, const Tensor&)>
Tensors variadic(const Call& call) {
    Tensor y = call.in[0];
    for (size_t k = 1; k < call.in.size(); ++k) y = apply(y, call.in[k]);
    if (call.node.op == "Mean") y = y / static_cast<double>(call.in.size());
    return {y};
}

Tensor add_up(const Tensor& a, const Tensor& b) { return a + b; }

Tensors cast(const Call& call) {
    const Tensor& x = call.in[0];
    switch (call.out_type) {
        case net::DType::kFloat:
            return {x.to(at::kFloat)};
        case net::DType::kDouble:
            return {x.to(at::kDouble)};
        case net::DType::kInt32:
            return {x.to(at::kInt)};
        case net::DType::kInt64:
            return {x.to(at::kLong)};
        case net::DType::kBool:
            return {x.to(at::kBool)};
        case net::DType::kFloat16:
            return {x.to(at::kHalf).to(at::kFloat)};
        case net::DType::kBfloat16:
            return {x.to(at::kBFloat16).to(at::kFloat)};
        case net::DType::kUint8:
        case net::DType::kInt8:
        case net::DType::kUint16:
        case net::DType::kInt16: {
            const auto [low, high] = code_range(call.out_type);
            return {at::clamp(at::trunc(x.to(at::kFloat)), low, high)};
        }
        default:
            call.refuse(fmt::format("no cast to {}", net::name_of(call.out_type)));
    }
}

// The axes to reduce; empty means none (noop_with_empty_axes), all of them where nothing is said.
std::vector<int64_t> reduced_axes(const Call& call) {
    auto axes = call.ints(1, "axes");
    if (axes.empty() && call.node.int_or("noop_with_empty_axes", 0) == 0) {
        for (int64_t d = 0; d < call.in[0].dim(); ++d) axes.push_back(d);
    }
    return axes;
}

template <Tensor (*apply)(const Tensor&, at::IntArrayRef, bool)>
Tensors reduce(const Call& call) {
    const auto axes = reduced_axes(call);
    if (axes.empty()) return {call.in[0]};
    return {apply(call.in[0], axes, call.node.int_or("keepdims", 1) != 0)};
}

Tensor mean_over(const Tensor& x, at::IntArrayRef axes, bool keep) { return x.mean(axes, keep); }
Tensor sum_over(const Tensor& x, at::IntArrayRef axes, bool keep) {
    return x.sum(axes, keep, x.scalar_type());
}
Tensor max_over(const Tensor& x, at::IntArrayRef axes, bool keep) { return x.amax(axes, keep); }
Tensor min_over(const Tensor& x, at::IntArrayRef axes, bool keep) { return x.amin(axes, keep); }

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

// Before opset 13 softmax runs over all dimensions from `axis` on.
Tensors softmax(const Call& call) {
    const Tensor& x = call.in[0];
    const bool logarithm = call.node.op == "LogSoftmax";
    const auto apply = [&](const Tensor& t, int64_t axis) {
        return logarithm ? at::log_softmax(t, axis) : at::softmax(t, axis);
    };
    if (call.opset >= 13) return {apply(x, call.node.int_or("axis", -1))};
    const int64_t axis = positive_axis(call.node.int_or("axis", 1), x.dim());
    if (axis == x.dim()) return {apply(x.unsqueeze(-1), -1).squeeze(-1)};
    return {apply(x.flatten(axis), -1).reshape(x.sizes())};
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
    {"Abs", unary<at::abs, at::abs_>},
    {"Add", add},
    {"Cast", cast},
    {"Ceil", unary<at::ceil, at::ceil_>},
    {"Clip", clip},
    {"Concat", concat},
    {"Div", divide},
    {"Dropout", identity},
    {"Elu", elu},
    {"Erf", unary<at::erf, at::erf_>},
    {"Exp", unary<at::exp, at::exp_>},
    {"Flatten", flatten},
    {"Floor", unary<at::floor, at::floor_>},
    {"Gather", gather},
    {"Gelu", gelu},
    {"GlobalAveragePool", global_average},
    {"GlobalMaxPool", global_max},
    {"HardSigmoid", hard_sigmoid},
    {"HardSwish", hard_swish},
    {"Identity", identity},
    {"LeakyRelu", leaky_relu},
    {"Log", unary<at::log, at::log_>},
    {"LogSoftmax", softmax},
    {"Max", variadic<at::maximum>},
    {"Mean", variadic<add_up>},
    {"Min", variadic<at::minimum>},
    {"Mul", multiply},
    {"Neg", unary<at::neg, at::neg_>},
    {"PRelu", prelu},
    {"Pad", pad},
    {"Pow", power},
    {"ReduceMax", reduce<max_over>},
    {"ReduceMean", reduce<mean_over>},
    {"ReduceMin", reduce<min_over>},
    {"ReduceSum", reduce<sum_over>},
    {"Relu", unary<at::relu, at::relu_>},
    {"Reshape", reshape},
    {"Round", unary<at::round, at::round_>},
    {"Sigmoid", unary<at::sigmoid, at::sigmoid_>},
    {"Slice", slice},
    {"Softmax", softmax},
    {"Softplus", softplus},
    {"Split", split},
    {"Sqrt", unary<at::sqrt, at::sqrt_>},
    {"Squeeze", squeeze},
    {"Sub", subtract},
    {"Sum", variadic<add_up>},
    {"Tanh", unary<at::tanh, at::tanh_>},
    {"Transpose", transpose},
    {"Unsqueeze", unsqueeze},
};

}  // namespace

std::span<const Operator> plain_operators() { return kOperators; }

Function find_operator(std::string_view name) {
    for (const auto& table : {plain_operators(), layer_operators(), quantizing_operators()}) {
        for (const Operator& entry : table) {
            if (entry.name == name) return entry.function;
        }
    }
    return nullptr;
}

}  // namespace adiabat::torch
