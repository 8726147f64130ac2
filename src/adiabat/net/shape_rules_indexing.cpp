// SPDX-License-Identifier: Apache-2.0
// Shapes of what picks elements by computed positions, and of what makes positions: Gather and
// Scatter in their forms, TopK, OneHot, Tile, Range and kin.
#include <algorithm>
#include <cmath>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

// Both known and different.
bool differ(int64_t a, int64_t b) { return a != kUnknown && b != kUnknown && a != b; }

std::optional<Shape> copy_of(const Shape* shape) {
    return shape ? std::optional(*shape) : std::nullopt;
}

void check_ranks(const RuleScope& scope, const Shape* x, const Shape* indices) {
    if (x && indices && x->size() != indices->size()) {
        scope.fail("indices of shape {} for data of shape {}: both have the same rank",
                   to_string(*indices), to_string(*x));
    }
}

void gather_elements(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *indices = scope.shape(1);
    check_ranks(scope, x, indices);
    if (x) scope.axis(scope.node.int_or("axis", 0), x->size());
    scope.set(0, scope.type(0), copy_of(indices));
}

void gather_nd(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *indices = scope.shape(1);
    if (!x || !indices) return scope.set(0, scope.type(0));
    const int64_t batch = scope.node.int_or("batch_dims", 0);
    const auto ranks = static_cast<int64_t>(std::min(x->size(), indices->size()));
    if (batch < 0 || batch >= ranks) {
        scope.fail("batch_dims {} of data {} and indices {}", batch, to_string(*x),
                   to_string(*indices));
    }
    const int64_t depth = indices->back();
    if (depth == kUnknown) return scope.set(0, scope.type(0));
    if (depth < 1 || depth > static_cast<int64_t>(x->size()) - batch) {
        scope.fail("indices of shape {} into data of shape {}", to_string(*indices), to_string(*x));
    }
    Shape out(indices->begin(), indices->end() - 1);
    out.insert(out.end(), x->begin() + batch + depth, x->end());
    scope.set(0, scope.type(0), out);
}

void scatter_elements(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *indices = scope.shape(1), *updates = scope.shape(2);
    check_ranks(scope, x, indices);
    check_ranks(scope, x, updates);
    if (x) scope.axis(scope.node.int_or("axis", 0), x->size());
    for (size_t k = 0; indices && updates && k < indices->size(); ++k) {
        if (!differ((*indices)[k], (*updates)[k])) continue;
        scope.fail("indices of shape {} and updates of shape {}", to_string(*indices),
                   to_string(*updates));
    }
    scope.set(0, scope.type(0), copy_of(x));
}

void scatter_nd(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *indices = scope.shape(1);
    if (x && indices) {
        const int64_t depth = indices->empty() ? 0 : indices->back();
        if (depth != kUnknown && (depth < 1 || depth > static_cast<int64_t>(x->size()))) {
            scope.fail("indices of shape {} into data of shape {}", to_string(*indices),
                       to_string(*x));
        }
    }
    scope.set(0, scope.type(0), copy_of(x));
}

void top_k(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) {
        scope.set(0, scope.type(0));
        return scope.set(1, DType::kInt64);
    }
    const auto axis = static_cast<size_t>(scope.axis(scope.node.int_or("axis", -1), x->size()));
    Shape out = *x;
    out[axis] = kUnknown;
    // An attribute before opset 10.
    std::optional<std::vector<int64_t>> count = scope.ints("", 1);
    if (scope.node.has("k")) count = std::vector<int64_t>{scope.node.int_or("k", 0)};
    if (count) {
        if (count->size() != 1) scope.fail("{} values of k", count->size());
        const int64_t k = count->front(), size = (*x)[axis];
        if (k < 0 || (size != kUnknown && k > size)) scope.fail("the top {} of {}", k, size);
        out[axis] = k;
    }
    scope.set(0, scope.type(0), out);
    scope.set(1, DType::kInt64, out);
}

void one_hot(const RuleScope& scope) {
    const Shape* indices = scope.shape(0);
    if (!indices) return scope.set(0, scope.type(2));
    const int64_t axis = scope.axis(scope.node.int_or("axis", -1), indices->size() + 1);
    int64_t depth = kUnknown;
    if (const Tensor* constant = scope.constant(1)) {
        if (constant->size() != 1) scope.fail("{} depths", constant->size());
        depth = static_cast<int64_t>(constant->to_doubles()[0]);
        if (depth < 1) scope.fail("a depth of {}", depth);
    }
    Shape out = *indices;
    out.insert(out.begin() + axis, depth);
    scope.set(0, scope.type(2), out);
}

void tile(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    const PartialInts* repeats = scope.partial(1);
    if (!repeats) return scope.set(0, scope.type(0), Shape(x->size(), kUnknown));
    if (repeats->entries.size() != x->size()) {
        scope.fail("{} repeats for {} axes", repeats->entries.size(), x->size());
    }
    Shape out = *x;
    for (size_t k = 0; k < out.size(); ++k) {
        const auto& times = repeats->entries[k];
        if (times && (*times < 0 || *times > INT32_MAX)) scope.fail("{} repeats", *times);
        out[k] = times && out[k] != kUnknown && out[k] <= INT32_MAX ? out[k] * *times : kUnknown;
    }
    scope.set(0, scope.type(0), out);
}

void range(const RuleScope& scope) {
    const Tensor *start = scope.constant(0), *limit = scope.constant(1), *delta = scope.constant(2);
    if (!start || !limit || !delta) return scope.set(0, scope.type(0), Shape{kUnknown});
    if (start->size() != 1 || limit->size() != 1 || delta->size() != 1) {
        scope.fail("start, limit and delta are one number each");
    }
    const double step = delta->to_doubles()[0];
    const double count = std::ceil((limit->to_doubles()[0] - start->to_doubles()[0]) / step);
    if (step == 0 || !(count < static_cast<double>(kMaxDimension))) {
        scope.fail("a range in steps of {}", step);
    }
    scope.set(0, scope.type(0), Shape{std::max<int64_t>(0, static_cast<int64_t>(count))});
}

void size_of(const RuleScope& scope) { scope.set(0, DType::kInt64, Shape{}); }

void non_zero(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const int64_t rank = x ? static_cast<int64_t>(x->size()) : kUnknown;
    scope.set(0, DType::kInt64, Shape{rank, kUnknown});
}

void trilu(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (x && x->size() < 2) scope.fail("input of shape {}: a matrix", to_string(*x));
    scope.set(0, scope.type(0), copy_of(x));
}

void eye_like(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (x && x->size() != 2) scope.fail("input of shape {}: a matrix", to_string(*x));
    const DType own = scope.type(0) == DType::kUndefined ? DType::kFloat : scope.type(0);
    scope.set(0, static_cast<DType>(scope.node.int_or("dtype", static_cast<int64_t>(own))),
              copy_of(x));
}

void compress(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!scope.node.has("axis")) return scope.set(0, scope.type(0), Shape{kUnknown});
    if (!x) return scope.set(0, scope.type(0));
    Shape out = *x;
    out[static_cast<size_t>(scope.axis(scope.node.int_or("axis", 0), x->size()))] = kUnknown;
    scope.set(0, scope.type(0), out);
}

void reverse_sequence(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const int64_t batch = scope.node.int_or("batch_axis", 1),
                  time = scope.node.int_or("time_axis", 0);
    if (std::min(batch, time) != 0 || std::max(batch, time) != 1) {
        scope.fail("batch_axis {} and time_axis {}: one is 0, the other 1", batch, time);
    }
    if (x && x->size() < 2) scope.fail("input of shape {}: two axes at least", to_string(*x));
    scope.set(0, scope.type(0), copy_of(x));
}

void unique(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    std::optional<Shape> out = Shape{kUnknown};
    if (scope.node.has("axis")) {
        out = copy_of(x);
        if (x) {
            (*out)[static_cast<size_t>(scope.axis(scope.node.int_or("axis", 0), x->size()))] =
                kUnknown;
        }
    }
    scope.set(0, scope.type(0), out);
    for (size_t k : {1, 2, 3}) scope.set(k, DType::kInt64, Shape{kUnknown});
}

void non_max_suppression(const RuleScope& scope) {
    scope.set(0, DType::kInt64, Shape{kUnknown, 3});
}

}  // namespace

std::vector<NamedRule> indexing_rules() {
    return {
        {"GatherElements", gather_elements, 2},
        {"GatherND", gather_nd, 2},
        {"ScatterElements", scatter_elements, 3},
        {"Scatter", scatter_elements, 3},
        {"ScatterND", scatter_nd, 3},
        {"TopK", top_k},
        {"OneHot", one_hot, 3},
        {"Tile", tile, 2},
        {"Range", range, 3},
        {"Size", size_of},
        {"NonZero", non_zero},
        {"Trilu", trilu},
        {"EyeLike", eye_like},
        {"Compress", compress, 2},
        {"ReverseSequence", reverse_sequence, 2},
        {"Unique", unique},
        {"NonMaxSuppression", non_max_suppression, 2},
    };
}

}  // namespace adiabat::net
