// SPDX-License-Identifier: Apache-2.0
//
// Operators without a window: elementwise ones, reductions and softmax.

#include <algorithm>
#include <limits>

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

constexpr Operator kOperators[] = {
    {"Abs", unary<at::abs, at::abs_>},
    {"Add", add},
    {"Cast", cast},
    {"Ceil", unary<at::ceil, at::ceil_>},
    {"Clip", clip},
    {"Div", divide},
    {"Dropout", identity},
    {"Elu", elu},
    {"Erf", unary<at::erf, at::erf_>},
    {"Exp", unary<at::exp, at::exp_>},
    {"Floor", unary<at::floor, at::floor_>},
    {"Gelu", gelu},
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
    {"Pow", power},
    {"ReduceMax", reduce<max_over>},
    {"ReduceMean", reduce<mean_over>},
    {"ReduceMin", reduce<min_over>},
    {"ReduceSum", reduce<sum_over>},
    {"Relu", unary<at::relu, at::relu_>},
    {"Round", unary<at::round, at::round_>},
    {"Sigmoid", unary<at::sigmoid, at::sigmoid_>},
    {"Softmax", softmax},
    {"Softplus", softplus},
    {"Sqrt", unary<at::sqrt, at::sqrt_>},
    {"Sub", subtract},
    {"Sum", variadic<add_up>},
    {"Tanh", unary<at::tanh, at::tanh_>},
};

}  // namespace

std::span<const Operator> plain_operators() { return kOperators; }

std::vector<std::span<const Operator>> operator_tables() {
    return {plain_operators(),    layout_operators(), indexing_operators(),
            sampling_operators(), layer_operators(),  quantizing_operators()};
}

Function find_operator(std::string_view name) {
    for (const auto& table : operator_tables()) {
        for (const Operator& entry : table) {
            if (entry.name == name) return entry.function;
        }
    }
    return nullptr;
}

}  // namespace adiabat::torch
