// SPDX-License-Identifier: Apache-2.0
// Shapes of what sums over something: reductions, Gemm, MatMul.
#include <algorithm>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

// Axes are an attribute first and an input later; none given means all, or none with
// noop_with_empty_axes.
void reduction(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto axes = scope.ints("axes", 1);
    if (!x) return scope.set(0, scope.type(0));
    const bool keep = scope.node.int_or("keepdims", 1) != 0;
    if (!axes)
        return scope.set(0, scope.type(0),
                         keep ? std::optional(Shape(x->size(), kUnknown)) : std::nullopt);
    const bool all = axes->empty() && scope.node.int_or("noop_with_empty_axes", 0) == 0;
    std::vector<bool> reduced(x->size(), all);
    for (int64_t axis : *axes) reduced[static_cast<size_t>(scope.axis(axis, x->size()))] = true;
    Shape out;
    for (size_t k = 0; k < x->size(); ++k) {
        if (!reduced[k]) out.push_back((*x)[k]);
        if (reduced[k] && keep) out.push_back(1);
    }
    scope.set(0, scope.type(0), out);
}

void arg_reduction(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, DType::kInt64);
    Shape out = *x;
    const auto at = out.begin() + scope.axis(scope.node.int_or("axis", 0), x->size());
    if (scope.node.int_or("keepdims", 1) != 0) {
        *at = 1;
    } else {
        out.erase(at);
    }
    scope.set(0, DType::kInt64, out);
}

// Both known and different.
bool differ(int64_t a, int64_t b) { return a != kUnknown && b != kUnknown && a != b; }

void gemm(const RuleScope& scope) {
    const Shape *a = scope.shape(0), *b = scope.shape(1), *c = scope.shape(2);
    if (!a || !b) return scope.set(0, scope.type(0));
    if (a->size() != 2 || b->size() != 2) {
        scope.fail("inputs of shapes {} and {}: both have 2 dimensions", to_string(*a),
                   to_string(*b));
    }
    const bool ta = scope.node.int_or("transA", 0) != 0, tb = scope.node.int_or("transB", 0) != 0;
    const int64_t taken = (*b)[tb ? 1 : 0], given = (*a)[ta ? 0 : 1];
    if (differ(taken, given)) scope.fail("weight takes {} features, input has {}", taken, given);
    const Shape out = {(*a)[ta ? 1 : 0], (*b)[tb ? 0 : 1]};
    if (c) {
        const auto wide = broadcast(out, *c);
        if (!wide || wide->size() != 2 || differ((*wide)[1], out[1])) {
            scope.fail("bias of shape {} for an output of shape {}", to_string(*c), to_string(out));
        }
    }
    scope.set(0, scope.type(0), out);
}

// numpy's matmul: a vector is a row on the left and a column on the right, leading dimensions
// broadcast.
void matmul(const RuleScope& scope) {
    const Shape *left = scope.shape(0), *right = scope.shape(1);
    if (!left || !right) return scope.set(0, scope.type(0));
    Shape a = *left, b = *right;
    if (a.empty() || b.empty()) scope.fail("a scalar cannot be multiplied as a matrix");
    if (a.size() == 1) a.insert(a.begin(), 1);
    if (b.size() == 1) b.push_back(1);
    const int64_t given = a.back(), taken = b[b.size() - 2];
    if (differ(given, taken)) {
        scope.fail("shapes {} and {}: {} columns meet {} rows", to_string(*left), to_string(*right),
                   given, taken);
    }
    auto out = broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2));
    if (!out) scope.fail("shapes {} and {} do not broadcast", to_string(*left), to_string(*right));
    if (left->size() > 1) out->push_back(a[a.size() - 2]);
    if (right->size() > 1) out->push_back(b.back());
    scope.set(0, scope.type(0), out);
}

}  // namespace

std::vector<NamedRule> reduction_rules() {
    std::vector<NamedRule> rules = {
        {"Gemm", gemm, 2},
        {"MatMul", matmul, 2},
        {"ArgMax", arg_reduction},
        {"ArgMin", arg_reduction},
    };
    for (const char* op : {"ReduceL1", "ReduceL2", "ReduceMax", "ReduceMean", "ReduceMin",
                           "ReduceProd", "ReduceSum", "ReduceSumSquare"}) {
        rules.push_back({op, reduction});
    }
    return rules;
}

}  // namespace adiabat::net
