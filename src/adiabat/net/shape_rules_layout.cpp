// SPDX-License-Identifier: Apache-2.0
// Shapes of what keeps all elements and names them differently (Reshape and kin), and of what makes
// shapes into values and values into shapes.
#include <algorithm>
#include <numeric>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

// Product of some dimensions, kUnknown where one is.
int64_t product(Shape::const_iterator first, Shape::const_iterator last) {
    return std::find(first, last, kUnknown) == last ? elements(Shape(first, last)) : kUnknown;
}

void flatten(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0), Shape{kUnknown, kUnknown});
    const auto rank = static_cast<int64_t>(x->size());
    int64_t axis = scope.node.int_or("axis", 1);
    if (axis != rank) axis = scope.axis(axis, x->size());
    scope.set(0, scope.type(0),
              Shape{product(x->begin(), x->begin() + axis), product(x->begin() + axis, x->end())});
}

void reshape_rule(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    // Before opset 5 the target is an attribute.
    PartialInts target;
    if (scope.node.has("shape")) {
        for (int64_t dimension : scope.node.ints_or("shape", {}))
            target.entries.emplace_back(dimension);
    } else if (const PartialInts* known = scope.partial(1)) {
        target = *known;
    } else {
        const Shape* length = scope.shape(1);
        const bool rank_known = length && length->size() == 1 && (*length)[0] != kUnknown;
        if (!rank_known) return scope.set(0, scope.type(0));
        if ((*length)[0] > static_cast<int64_t>(kMaxPartialInts)) {
            scope.fail("a shape of {} dimensions", (*length)[0]);
        }
        return scope.set(0, scope.type(0), Shape(static_cast<size_t>((*length)[0]), kUnknown));
    }
    if (!x) return scope.set(0, scope.type(0), Shape(target.entries.size(), kUnknown));
    const auto out = reshape(*x, target.entries, scope.node.int_or("allowzero", 0) != 0);
    if (!out) {
        Shape wanted;
        for (const auto& entry : target.entries) wanted.push_back(entry.value_or(kUnknown));
        scope.fail("an input of shape {} cannot take the shape {}", to_string(*x),
                   to_string(wanted));
    }
    scope.set(0, scope.type(0), out);
}

void transpose(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    std::vector<int64_t> reversed(x->size());
    std::iota(reversed.rbegin(), reversed.rend(), 0);
    const auto perm = scope.node.ints_or("perm", reversed);
    if (!std::is_permutation(perm.begin(), perm.end(), reversed.begin(), reversed.end())) {
        scope.fail("perm {} is no permutation of {} axes", to_string(perm), x->size());
    }
    Shape out;
    for (int64_t axis : perm) out.push_back((*x)[static_cast<size_t>(axis)]);
    scope.set(0, scope.type(0), out);
}

void squeeze(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto axes = scope.ints("axes", 1);
    if (!x || !axes) return scope.set(0, scope.type(0));
    const bool all = axes->empty();
    if (all && std::find(x->begin(), x->end(), kUnknown) != x->end()) {
        return scope.set(0, scope.type(0));
    }
    std::vector<bool> dropped(x->size(), false);
    for (size_t k = 0; k < x->size(); ++k) dropped[k] = all && (*x)[k] == 1;
    for (int64_t given : *axes) {
        const auto axis = static_cast<size_t>(scope.axis(given, x->size()));
        if ((*x)[axis] != 1 && (*x)[axis] != kUnknown) {
            scope.fail("axis {} has {} entries; only an axis of one can be dropped", given,
                       (*x)[axis]);
        }
        dropped[axis] = true;
    }
    Shape out;
    for (size_t k = 0; k < x->size(); ++k) {
        if (!dropped[k]) out.push_back((*x)[k]);
    }
    scope.set(0, scope.type(0), out);
}

void unsqueeze(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto axes = scope.ints("axes", 1);
    if (!x || !axes) return scope.set(0, scope.type(0));
    const size_t rank = x->size() + axes->size();
    std::vector<bool> inserted(rank, false);
    for (int64_t given : *axes) {
        const auto axis = static_cast<size_t>(scope.axis(given, rank));
        if (inserted[axis]) scope.fail("axis {} is inserted twice", given);
        inserted[axis] = true;
    }
    Shape out;
    auto next = x->begin();
    for (size_t k = 0; k < rank; ++k) out.push_back(inserted[k] ? 1 : *next++);
    scope.set(0, scope.type(0), out);
}

void expand(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const PartialInts* target = scope.partial(1);
    if (!x || !target) return scope.set(0, scope.type(0));
    Shape wanted;
    for (const auto& entry : target->entries) wanted.push_back(entry.value_or(kUnknown));
    const auto out = broadcast(*x, wanted);
    if (!out) {
        scope.fail("an input of shape {} does not broadcast to {}", to_string(*x),
                   to_string(wanted));
    }
    scope.set(0, scope.type(0), out);
}

void shape_of(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, DType::kInt64, Shape{kUnknown});
    const auto rank = static_cast<int64_t>(x->size());
    const auto place = [&](int64_t axis) {
        return std::clamp<int64_t>(axis < 0 ? axis + rank : axis, 0, rank);
    };
    const int64_t start = place(scope.node.int_or("start", 0));
    const int64_t end = place(scope.node.int_or("end", rank));
    scope.set(0, DType::kInt64, Shape{std::max<int64_t>(0, end - start)});
}

void constant_of_shape(const RuleScope& scope) {
    DType type = DType::kFloat;
    if (const auto found = scope.node.attributes.find("value");
        found != scope.node.attributes.end()) {
        const Tensor* value = std::get_if<Tensor>(&found->second);
        if (!value || value->size() != 1) scope.fail("value must be a tensor of one element");
        type = value->type;
    }
    const PartialInts* target = scope.partial(0);
    if (!target) return scope.set(0, type);
    Shape out;
    for (const auto& entry : target->entries) {
        if (entry && *entry < 0) scope.fail("a dimension of {} elements", *entry);
        out.push_back(entry.value_or(kUnknown));
    }
    scope.set(0, type, out);
}

// What onnx/ could not make a constant: strings.
void constant(const RuleScope& scope) { scope.set(0, DType::kString); }

}  // namespace

std::vector<NamedRule> layout_rules() {
    return {
        {"Flatten", flatten}, {"Reshape", reshape_rule}, {"Transpose", transpose},
        {"Squeeze", squeeze}, {"Unsqueeze", unsqueeze},  {"Expand", expand, 2},
        {"Shape", shape_of},  {"Constant", constant, 0}, {"ConstantOfShape", constant_of_shape},
    };
}

}  // namespace adiabat::net
