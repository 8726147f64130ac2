// SPDX-License-Identifier: Apache-2.0
// Shapes of operators on codes whose scales and zero points are among their inputs. They are those
// of the same operator on real numbers; the type is that of the result's zero point.
#include <initializer_list>

#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

std::optional<Shape> shape_of(const RuleScope& scope, size_t input) {
    return scope.shape(input) ? std::optional(*scope.shape(input)) : std::nullopt;
}

// The type of the zero point, that of the first codes where it is left out.
DType code_type(const RuleScope& scope, size_t zero, size_t codes = 0) {
    return scope.has(zero) ? scope.type(zero) : scope.type(codes);
}

// Zero points may be left out, scales may not.
void need(const RuleScope& scope, std::initializer_list<size_t> inputs) {
    for (size_t k : inputs) {
        if (!scope.has(k)) scope.fail("input {} is missing", k + 1);
    }
}

void dynamic_quantize(const RuleScope& scope) {
    scope.set(0, DType::kUint8, shape_of(scope, 0));
    scope.set(1, DType::kFloat, Shape{});
    scope.set(2, DType::kUint8, Shape{});
}

void conv_integer(const RuleScope& scope) {
    scope.as("Conv", {0, 1});
    scope.set(0, DType::kInt32);
}

void qlinear_conv(const RuleScope& scope) {
    scope.as("Conv", {0, 3, 8});
    scope.set(0, code_type(scope, 7));
}

void matmul_integer(const RuleScope& scope) {
    scope.as("MatMul", {0, 1});
    scope.set(0, DType::kInt32);
}

void qlinear_matmul(const RuleScope& scope) {
    scope.as("MatMul", {0, 3});
    scope.set(0, code_type(scope, 7));
}

void qgemm(const RuleScope& scope) {
    scope.as("Gemm", {0, 3, 6});
    scope.set(0, scope.has(7) ? code_type(scope, 8) : DType::kFloat);
}

void qlinear_binary(const RuleScope& scope) {
    need(scope, {1, 3, 4, 6});
    scope.as("Add", {0, 3});
    scope.set(0, code_type(scope, 7));
}

void qlinear_unary(const RuleScope& scope) {
    need(scope, {1, 3});
    scope.set(0, code_type(scope, 4), shape_of(scope, 0));
}

void qlinear_average_pool(const RuleScope& scope) {
    need(scope, {1, 3});
    if (scope.node.int_or("channels_last", 0) != 0) scope.fail("channels_last 1 is not known");
    scope.as("AveragePool", {0});
    scope.set(0, code_type(scope, 4));
}

void qlinear_global_average_pool(const RuleScope& scope) {
    need(scope, {1, 3});
    const Shape* x = scope.shape(0);
    if (!x || scope.node.int_or("channels_last", 0) == 0) {
        scope.as("GlobalAveragePool", {0});
        return scope.set(0, code_type(scope, 4));
    }
    Shape out(x->size(), 1);
    if (!out.empty()) out.front() = x->front(), out.back() = x->back();
    scope.set(0, code_type(scope, 4), out);
}

void qlinear_concat(const RuleScope& scope) {
    std::vector<size_t> parts;
    for (size_t k = 2; k < scope.node.inputs.size(); k += 3) {
        need(scope, {k, k + 1});
        parts.push_back(k);
    }
    if (parts.empty()) scope.fail("has no parts");
    scope.as("Concat", parts);
    scope.set(0, code_type(scope, 1, 2));
}

}  // namespace

std::vector<NamedRule> quantized_rules() {
    return {
        {"ConvInteger", conv_integer, 2},
        {"DynamicQuantizeLinear", dynamic_quantize},
        {"MatMulInteger", matmul_integer, 2},
        {"QLinearConv", qlinear_conv, 8},
        {"QLinearMatMul", qlinear_matmul, 8},
        {"com.microsoft.QGemm", qgemm, 6},
        {"com.microsoft.QLinearAdd", qlinear_binary},
        {"com.microsoft.QLinearAveragePool", qlinear_average_pool},
        {"com.microsoft.QLinearConcat", qlinear_concat},
        {"com.microsoft.QLinearConv", qlinear_conv, 8},
        {"com.microsoft.QLinearGlobalAveragePool", qlinear_global_average_pool},
        {"com.microsoft.QLinearLeakyRelu", qlinear_unary},
        {"com.microsoft.QLinearMul", qlinear_binary},
        {"com.microsoft.QLinearSigmoid", qlinear_unary},
        {"com.microsoft.QLinearSoftmax", qlinear_unary},
    };
}

}  // namespace adiabat::net
