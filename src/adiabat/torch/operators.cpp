// SPDX-License-Identifier: Apache-2.0
//
// What operators have in common, and those that work element by element: activations, arithmetic,
// comparison, logic, casts.
//
// Integers that LibTorch does not compute with (all but int32 and int64) go through the plain
// evaluator, which wraps as the runtime does.

#include <algorithm>
#include <limits>

#include "adiabat/base/errors.h"
#include "adiabat/net/cast.h"
#include "adiabat/net/evaluate.h"
#include "adiabat/net/shape_inference.h"
#include "adiabat/torch/operators.h"
#include "adiabat/torch/tensors.h"

namespace adiabat::torch {

using at::Tensor;
using net::DType;
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

bool is_integer(DType type) {
    return !net::is_floating(type) && type != DType::kBool && type != DType::kUndefined;
}

// Whether LibTorch's arithmetic on the type in which it is carried is that of the type.
bool computes(DType type) {
    return !is_integer(type) || type == DType::kInt32 || type == DType::kInt64;
}

// The node alone, its inputs constants, through net's evaluator.
Tensors evaluated(const Call& call) {
    net::Graph graph;
    graph.opset = call.opset;
    net::Node node = call.node;
    for (size_t k = 0; k < node.inputs.size(); ++k) {
        node.inputs[k] = call.given(k)
                             ? graph.add_constant("in" + std::to_string(k),
                                                  from_torch(call.in[k], call.in_types[k]))
                             : net::kNoValue;
    }
    for (size_t k = 0; k < node.outputs.size(); ++k) {
        node.outputs[k] = graph.add_value("out" + std::to_string(k), call.out_types[k]);
    }
    graph.nodes.push_back(node);
    net::infer_shapes(graph);
    const auto results = net::evaluate(graph, node);
    if (!results) {
        call.refuse(
            fmt::format("elements of type {} are not known", net::name_of(call.in_types[0])));
    }
    Tensors out;
    for (const net::Tensor& result : *results) out.push_back(to_torch(result).clone());
    return out;
}

template <Function function>
Tensors exact(const Call& call) {
    return call.in_types.empty() || computes(call.in_types[0]) ? function(call) : evaluated(call);
}

// ---- one input

// Operators of one input that LibTorch has by the same meaning.
template <Tensor (*apply)(const Tensor&), Tensor& (*apply_in_place)(Tensor&)>
Tensors unary(const Call& call) {
    if (call.may_overwrite(0)) return {apply_in_place(call.in[0])};
    return {apply(call.in[0])};
}

template <Tensor (*apply)(const Tensor&)>
Tensors simple(const Call& call) {
    return {apply(call.in[0])};
}

Tensors leaky_relu(const Call& call) {
    return {at::leaky_relu(call.in[0], call.node.float_or("alpha", 0.01f))};
}

Tensors elu(const Call& call) { return {at::elu(call.in[0], call.node.float_or("alpha", 1))}; }

Tensors celu(const Call& call) {
    const double alpha = call.node.float_or("alpha", 1);
    const Tensor& x = call.in[0];
    return {at::clamp_min(x, 0) + at::clamp_max(alpha * at::expm1(x / alpha), 0)};
}

Tensors selu(const Call& call) {
    return {at::elu(call.in[0], call.node.float_or("alpha", 1.67326319217681884765625f),
                    call.node.float_or("gamma", 1.05070102214813232421875f))};
}

Tensors softplus(const Call& call) { return {at::softplus(call.in[0])}; }

Tensors gelu(const Call& call) {
    return {at::gelu(call.in[0], call.node.string_or("approximate", "none"))};
}

Tensors swish(const Call& call) {
    const double alpha = call.node.float_or("alpha", 1);
    const Tensor& x = call.in[0];
    return {x * at::sigmoid(alpha == 1 ? x : x * alpha)};
}

Tensors softsign(const Call& call) { return {call.in[0] / (call.in[0].abs() + 1)}; }

Tensors thresholded_relu(const Call& call) {
    const Tensor& x = call.in[0];
    return {at::where(x > call.node.float_or("alpha", 1), x, at::zeros_like(x))};
}

Tensors shrink(const Call& call) {
    const double bias = call.node.float_or("bias", 0), lambda = call.node.float_or("lambd", 0.5f);
    const Tensor& x = call.in[0];
    return {at::where(x < -lambda, x + bias, at::where(x > lambda, x - bias, at::zeros_like(x)))};
}

Tensors hard_sigmoid(const Call& call) {
    const double alpha = call.node.float_or("alpha", 0.2f), beta = call.node.float_or("beta", 0.5f);
    return {at::clamp(call.in[0] * alpha + beta, 0, 1)};
}

Tensors hard_swish(const Call& call) {
    return {call.in[0] * at::clamp(call.in[0] * (1.0 / 6) + 0.5, 0, 1)};
}

// Bounds are attributes before opset 11, optional inputs since; integers keep their type.
Tensors clip(const Call& call) {
    const bool whole = !at::isFloatingType(call.in[0].scalar_type());
    const auto bound = [&](size_t k, const char* name) -> c10::optional<at::Scalar> {
        if (call.given(k)) return call.in[k].item();
        if (!call.node.has(name)) return c10::nullopt;
        return at::Scalar(static_cast<double>(call.node.float_or(name, 0)));
    };
    const auto low = bound(1, "min"), high = bound(2, "max");
    if (!low && !high) return {call.in[0]};
    if (call.may_overwrite(0) && !whole) return {call.in[0].clamp_(low, high)};
    return {at::clamp(call.in[0], low, high)};
}

Tensors is_inf(const Call& call) {
    const bool negative = call.node.int_or("detect_negative", 1) != 0;
    const bool positive = call.node.int_or("detect_positive", 1) != 0;
    const Tensor& x = call.in[0];
    if (negative && positive) return {at::isinf(x)};
    if (negative) return {at::isneginf(x)};
    return {positive ? at::isposinf(x) : at::zeros_like(x, at::kBool)};
}

Tensors identity(const Call& call) { return {call.in[0]}; }

// Nothing is dropped in inference; the mask says so.
Tensors dropout(const Call& call) {
    const bool training = call.given(2) && call.in[2].item().toDouble() != 0;
    if (training && call.number(1, "ratio", 0.5) != 0) {
        call.refuse("training_mode true; only inference is known");
    }
    Tensors out = {call.in[0]};
    if (call.node.outputs.size() > 1) out.push_back(at::ones_like(call.in[0], at::kBool));
    return out;
}

// ---- two inputs and more

Tensors prelu(const Call& call) {
    const Tensor& x = call.in[0];
    return {at::where(x < 0, x * call.in[1], x)};
}

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

// fmod = 1 keeps the sign of the dividend; else that of the divisor, as numpy has it.
Tensors modulo(const Call& call) {
    if (is_integer(call.in_types[0])) return evaluated(call);
    if (call.node.int_or("fmod", 0) != 0) return {at::fmod(call.in[0], call.in[1])};
    return {at::remainder(call.in[0], call.in[1])};
}

// The exponent may be of another type; the result has the base's.
Tensors power(const Call& call) {
    const bool whole = is_integer(call.out_type) || is_integer(call.in_types[1]);
    if (!whole) return {at::pow(call.in[0], call.in[1])};
    if (is_integer(call.out_type)) {
        return {at::pow(call.in[0].to(at::kDouble), call.in[1].to(at::kDouble)).trunc()};
    }
    return {at::pow(call.in[0], call.in[1].to(call.in[0].scalar_type()))};
}

template <Tensor (*apply)(const Tensor&, const Tensor&)>
Tensors binary(const Call& call) {
    return {apply(call.in[0], call.in[1])};
}

template <Tensor (*apply)(const Tensor&, const Tensor&)>
Tensors variadic(const Call& call) {
    Tensor y = call.in[0];
    for (size_t k = 1; k < call.in.size(); ++k) y = apply(y, call.in[k]);
    if (call.node.op == "Mean") y = y / static_cast<double>(call.in.size());
    return {y};
}

Tensor add_up(const Tensor& a, const Tensor& b) { return a + b; }

Tensors where(const Call& call) { return {at::where(call.in[0], call.in[1], call.in[2])}; }

Tensors cast(const Call& call) {
    const Tensor& x = call.in[0];
    const bool from_uint64 = call.in_types[0] == DType::kUint64;  // carried as int64
    if (!from_uint64) {
        switch (call.out_type) {
            case DType::kFloat:
                return {x.to(at::kFloat)};
            case DType::kDouble:
                return {x.to(at::kDouble)};
            case DType::kInt32:
                return {x.to(at::kInt)};
            case DType::kInt64:
                return {x.to(at::kLong)};
            case DType::kBool:
                return {x.to(at::kBool)};
            case DType::kFloat16:
                return {x.to(at::kHalf).to(at::kFloat)};
            case DType::kBfloat16:
                return {x.to(at::kBFloat16).to(at::kFloat)};
            default:
                break;
        }
    }
    if (net::bits_of(call.out_type) == 0) {
        call.refuse(fmt::format("no cast to {}", net::name_of(call.out_type)));
    }
    const net::Tensor from = from_torch(x, from_uint64 ? DType::kUint64 : natural_type(x));
    return {to_torch(net::cast_tensor(from, call.out_type, net::cast_options(call.node))).clone()};
}

constexpr Operator kOperators[] = {
    {"Abs", unary<at::abs, at::abs_>},
    {"Acos", unary<at::acos, at::acos_>},
    {"Acosh", unary<at::acosh, at::acosh_>},
    {"Add", exact<add>},
    {"And", binary<at::logical_and>},
    {"Asin", unary<at::asin, at::asin_>},
    {"Asinh", unary<at::asinh, at::asinh_>},
    {"Atan", unary<at::atan, at::atan_>},
    {"Atanh", unary<at::atanh, at::atanh_>},
    {"BitCast", evaluated},
    {"BitShift", evaluated},
    {"BitwiseAnd", evaluated},
    {"BitwiseNot", evaluated},
    {"BitwiseOr", evaluated},
    {"BitwiseXor", evaluated},
    {"Cast", cast},
    {"CastLike", cast},
    {"Ceil", unary<at::ceil, at::ceil_>},
    {"Celu", celu},
    {"Clip", clip},
    {"Cos", unary<at::cos, at::cos_>},
    {"Cosh", unary<at::cosh, at::cosh_>},
    {"Div", exact<divide>},
    {"Dropout", dropout},
    {"Elu", elu},
    {"Equal", binary<at::eq>},
    {"Erf", unary<at::erf, at::erf_>},
    {"Exp", unary<at::exp, at::exp_>},
    {"Floor", unary<at::floor, at::floor_>},
    {"Gelu", gelu},
    {"Greater", binary<at::gt>},
    {"GreaterOrEqual", binary<at::ge>},
    {"HardSigmoid", hard_sigmoid},
    {"HardSwish", hard_swish},
    {"Identity", identity},
    {"IsInf", is_inf},
    {"IsNaN", simple<at::isnan>},
    {"LeakyRelu", leaky_relu},
    {"Less", binary<at::lt>},
    {"LessOrEqual", binary<at::le>},
    {"Log", unary<at::log, at::log_>},
    {"Max", variadic<at::maximum>},
    {"Mean", variadic<add_up>},
    {"Min", variadic<at::minimum>},
    {"Mish", simple<at::mish>},
    {"Mod", modulo},
    {"Mul", exact<multiply>},
    {"Neg", unary<at::neg, at::neg_>},
    {"Not", simple<at::logical_not>},
    {"Or", binary<at::logical_or>},
    {"PRelu", prelu},
    {"Pow", power},
    {"Reciprocal", unary<at::reciprocal, at::reciprocal_>},
    {"Relu", unary<at::relu, at::relu_>},
    {"Round", unary<at::round, at::round_>},
    {"Selu", selu},
    {"Shrink", shrink},
    {"Sigmoid", unary<at::sigmoid, at::sigmoid_>},
    {"Sign", simple<at::sign>},
    {"Sin", unary<at::sin, at::sin_>},
    {"Sinh", unary<at::sinh, at::sinh_>},
    {"Softplus", softplus},
    {"Softsign", softsign},
    {"Sqrt", unary<at::sqrt, at::sqrt_>},
    {"Sub", exact<subtract>},
    {"Sum", variadic<add_up>},
    {"Swish", swish},
    {"Tan", unary<at::tan, at::tan_>},
    {"Tanh", unary<at::tanh, at::tanh_>},
    {"ThresholdedRelu", thresholded_relu},
    {"Where", where},
    {"Xor", binary<at::logical_xor>},
    {"com.microsoft.Gelu", gelu},
};

}  // namespace

std::span<const Operator> elementwise_operators() { return kOperators; }

std::vector<std::span<const Operator>> all_operators() {
    return {elementwise_operators(), reducing_operators(), layout_operators(),
            indexing_operators(),    sampling_operators(), layer_operators(),
            quantizing_operators(),  integer_operators()};
}

Function find_operator(std::string_view name) {
    for (const auto& table : all_operators()) {
        for (const Operator& entry : table) {
            if (entry.name == name) return entry.function;
        }
    }
    return nullptr;
}

}  // namespace adiabat::torch
