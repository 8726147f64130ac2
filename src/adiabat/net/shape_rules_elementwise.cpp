// SPDX-License-Identifier: Apache-2.0
// Shapes of what works element by element: activations, arithmetic with broadcasting, casts,
// quantizers.
#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

std::optional<Shape> copy_of(const Shape* shape) {
    return shape ? std::optional(*shape) : std::nullopt;
}

void same(const RuleScope& scope) { scope.set(0, scope.type(0), copy_of(scope.shape(0))); }

// The shape that inputs first..last broadcast to, nothing where one is not known.
std::optional<Shape> broadcast_inputs(const RuleScope& scope) {
    std::optional<Shape> result;
    for (size_t k = 0; k < scope.node.inputs.size(); ++k) {
        const Shape* shape = scope.shape(k);
        if (!shape) return std::nullopt;
        if (!result) {
            result = *shape;
            continue;
        }
        const auto wider = broadcast(*result, *shape);
        if (!wider) {
            scope.fail("inputs of shapes {} and {} do not broadcast", to_string(*result),
                       to_string(*shape));
        }
        result = wider;
    }
    return result;
}

void arithmetic(const RuleScope& scope) { scope.set(0, scope.type(0), broadcast_inputs(scope)); }
void comparison(const RuleScope& scope) { scope.set(0, DType::kBool, broadcast_inputs(scope)); }
void where(const RuleScope& scope) { scope.set(0, scope.type(1), broadcast_inputs(scope)); }

void dropout(const RuleScope& scope) {
    same(scope);
    scope.set(1, scope.opset() < 10 ? scope.type(0) : DType::kBool, copy_of(scope.shape(0)));
}

void cast(const RuleScope& scope) {
    scope.set(0, static_cast<DType>(scope.node.int_or("to", 0)), copy_of(scope.shape(0)));
}

void cast_like(const RuleScope& scope) { scope.set(0, scope.type(1), copy_of(scope.shape(0))); }
void test(const RuleScope& scope) { scope.set(0, DType::kBool, copy_of(scope.shape(0))); }

// Reinterprets the bits of each element.
void bit_cast(const RuleScope& scope) {
    const auto type = static_cast<DType>(scope.node.int_or("to", 0));
    if (bits_of(type) != bits_of(scope.type(0)) || bits_of(type) == 0) {
        scope.fail("from {} to {}: both have as many bits", name_of(scope.type(0)), name_of(type));
    }
    scope.set(0, type, copy_of(scope.shape(0)));
}

// One scale for all, one a channel along `axis`, or (opset 21) one a block.
void check_scale(const RuleScope& scope) {
    const Shape *input = scope.shape(0), *scale = scope.shape(1);
    if (!input || !scale || scale->size() != 1 || (*scale)[0] == 1) return;
    if (scope.node.int_or("block_size", 0) != 0) return;
    const int64_t axis = scope.axis(scope.node.int_or("axis", 1), input->size());
    const int64_t channels = (*input)[static_cast<size_t>(axis)];
    if (channels != kUnknown && (*scale)[0] != kUnknown && channels != (*scale)[0]) {
        scope.fail("{} scales for {} channels along axis {}", (*scale)[0], channels, axis);
    }
}

void quantize(const RuleScope& scope) {
    check_scale(scope);
    DType type = static_cast<DType>(scope.node.int_or("output_dtype", 0));
    if (type == DType::kUndefined) type = scope.has(2) ? scope.type(2) : DType::kUint8;
    scope.set(0, type, copy_of(scope.shape(0)));
}

void dequantize(const RuleScope& scope) {
    check_scale(scope);
    const auto wanted = static_cast<DType>(scope.node.int_or("output_dtype", 0));
    scope.set(0, wanted == DType::kUndefined ? scope.type(1) : wanted, copy_of(scope.shape(0)));
}

}  // namespace

std::vector<NamedRule> elementwise_rules() {
    std::vector<NamedRule> rules = {
        {"BitCast", bit_cast},
        {"Cast", cast},
        {"CastLike", cast_like, 2},
        {"CumProd", same, 2},
        {"CumSum", same, 2},
        {"DequantizeLinear", dequantize, 2},
        {"Dropout", dropout},
        {"IsInf", test},
        {"IsNaN", test},
        {"Not", test},
        {"QuantizeLinear", quantize, 2},
        {"Where", where, 3},
        {"com.microsoft.Gelu", same},
    };
    // clang-format off
    for (const char* op : {"Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil",
                           "Celu", "Clip", "Cos", "Cosh", "Elu", "Erf", "Exp", "Floor", "Gelu",
                           "HardSigmoid", "HardSwish", "Hardmax", "Identity", "LRN", "LeakyRelu", "Log",
                           "LogSoftmax", "LpNormalization", "MeanVarianceNormalization", "Mish", "Neg",
                           "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh",
                           "Softmax", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh",
                           "ThresholdedRelu"}) {
        rules.push_back({op, same});
    }
    for (const char* op : {"Add", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Mod", "Mul",
                           "PRelu", "Pow", "Sub"}) {
        rules.push_back({op, arithmetic, 2});
    }
    for (const char* op : {"Max", "Mean", "Min", "Sum"}) rules.push_back({op, arithmetic});
    for (const char* op : {"And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Or", "Xor"}) {
        rules.push_back({op, comparison, 2});
    }
    // clang-format on
    return rules;
}

}  // namespace adiabat::net
