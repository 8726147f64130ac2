// SPDX-License-Identifier: Apache-2.0
// Shapes of what takes parts and puts parts together: Slice, Split, Gather, Pad, Concat.
#include <algorithm>
#include <numeric>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

// Axes from the front, of an array of that rank; fails where one is named twice.
std::vector<size_t> distinct_axes(const RuleScope& scope, const std::vector<int64_t>& axes,
                                  size_t rank) {
    std::vector<size_t> normal;
    for (int64_t given : axes) {
        const auto axis = static_cast<size_t>(scope.axis(given, rank));
        if (std::find(normal.begin(), normal.end(), axis) != normal.end()) {
            scope.fail("axis {} is named twice", axis);
        }
        normal.push_back(axis);
    }
    return normal;
}

std::vector<int64_t> first_axes(size_t count) {
    std::vector<int64_t> axes(count);
    std::iota(axes.begin(), axes.end(), 0);
    return axes;
}

void slice(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    const auto starts = scope.ints("starts", 1), ends = scope.ints("ends", 2);
    auto axes = scope.ints("axes", 3), steps = scope.ints("steps", 4);
    // Which axes are cut may be known although where is not.
    Shape out = *x;
    if (!axes) return scope.set(0, scope.type(0), Shape(x->size(), kUnknown));
    if (!starts || !ends || !steps) {
        if (axes->empty()) return scope.set(0, scope.type(0), Shape(x->size(), kUnknown));
        for (int64_t axis : *axes) out[static_cast<size_t>(scope.axis(axis, x->size()))] = kUnknown;
        return scope.set(0, scope.type(0), out);
    }
    if (axes->empty()) axes = first_axes(starts->size());
    if (steps->empty()) steps->assign(starts->size(), 1);
    if (ends->size() != starts->size() || axes->size() != starts->size() ||
        steps->size() != starts->size()) {
        scope.fail("{} starts, {} ends, {} axes and {} steps: as many of each", starts->size(),
                   ends->size(), axes->size(), steps->size());
    }
    const auto places = distinct_axes(scope, *axes, x->size());
    for (size_t k = 0; k < places.size(); ++k) {
        if ((*steps)[k] == 0) scope.fail("a step of 0");
        int64_t& size = out[places[k]];
        if (size == kUnknown) continue;
        size = slice_range((*starts)[k], (*ends)[k], (*steps)[k], size).count;
    }
    scope.set(0, scope.type(0), out);
}

void split(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const size_t parts = scope.node.outputs.size();
    const auto sizes = scope.ints("split", 1);
    if (!x || !sizes) {
        for (size_t k = 0; k < parts; ++k) scope.set(k, scope.type(0));
        return;
    }
    const auto axis = static_cast<size_t>(scope.axis(scope.node.int_or("axis", 0), x->size()));
    const int64_t size = (*x)[axis];
    std::vector<int64_t> each = *sizes;
    for (int64_t part : each) {
        if (part < 0 || part > kMaxDimension) scope.fail("a split size of {}", part);
    }
    if (each.empty() && size != kUnknown) {
        // Equal parts, the last one smaller where they do not come out even (opset 18).
        const auto count = static_cast<int64_t>(parts);
        const int64_t chunk = (size + count - 1) / count;
        for (int64_t left = size; each.size() < parts; left -= chunk) {
            each.push_back(std::clamp<int64_t>(left, 0, chunk));
        }
    }
    if (each.empty()) each.assign(parts, kUnknown);
    if (each.size() != parts) scope.fail("{} split sizes for {} outputs", each.size(), parts);
    const bool known =
        size != kUnknown && std::find(each.begin(), each.end(), kUnknown) == each.end();
    if (known && std::accumulate(each.begin(), each.end(), int64_t{0}) != size) {
        scope.fail("split sizes {} do not add up to {}", to_string(each), size);
    }
    for (size_t k = 0; k < parts; ++k) {
        Shape out = *x;
        out[axis] = each[k];
        scope.set(k, scope.type(0), out);
    }
}

void gather(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *indices = scope.shape(1);
    if (!x || !indices) return scope.set(0, scope.type(0));
    const int64_t axis = scope.axis(scope.node.int_or("axis", 0), x->size());
    Shape out(x->begin(), x->begin() + axis);
    out.insert(out.end(), indices->begin(), indices->end());
    out.insert(out.end(), x->begin() + axis + 1, x->end());
    scope.set(0, scope.type(0), out);
}

void pad(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    // Opset 1 called them paddings.
    const auto pads = scope.ints(scope.node.has("paddings") ? "paddings" : "pads", 1);
    auto axes = scope.ints("axes", 3);
    if (!pads || !axes) return scope.set(0, scope.type(0), Shape(x->size(), kUnknown));
    if (axes->empty()) axes = first_axes(x->size());
    const size_t count = axes->size();
    if (pads->size() != 2 * count) {
        scope.fail("{} pads for {} axes: two an axis", pads->size(), count);
    }
    Shape out = *x;
    const auto places = distinct_axes(scope, *axes, x->size());
    for (size_t k = 0; k < count; ++k) {
        int64_t& size = out[places[k]];
        const int64_t before = (*pads)[k], after = (*pads)[k + count];
        if (std::min(before, after) < -INT32_MAX || std::max(before, after) > INT32_MAX) {
            scope.fail("pads {} are out of range", to_string(*pads));
        }
        if (size == kUnknown) continue;
        size += before + after;
        if (size < 0) scope.fail("pads {} cut more than {} has", to_string(*pads), to_string(*x));
    }
    scope.set(0, scope.type(0), out);
}

void concat(const RuleScope& scope) {
    const Shape* first = scope.shape(0);
    for (size_t k = 0; k < scope.node.inputs.size(); ++k) {
        if (!scope.has(k)) scope.fail("input {} is left out; all are joined", k + 1);
    }
    if (!first) return scope.set(0, scope.type(0));
    const auto axis = static_cast<size_t>(scope.axis(scope.node.int_or("axis", 1), first->size()));
    Shape out = *first;
    for (size_t k = 1; k < scope.node.inputs.size(); ++k) {
        const Shape* part = scope.shape(k);
        if (!part) {
            out[axis] = kUnknown;
            continue;
        }
        if (part->size() != out.size()) {
            scope.fail("inputs of shapes {} and {}: all have the same rank", to_string(*first),
                       to_string(*part));
        }
        for (size_t d = 0; d < out.size(); ++d) {
            const int64_t size = (*part)[d];
            if (d == axis) {
                out[d] = out[d] == kUnknown || size == kUnknown ? kUnknown : out[d] + size;
            } else if (out[d] == kUnknown) {
                out[d] = size;
            } else if (size != kUnknown && size != out[d]) {
                scope.fail("inputs of shapes {} and {} differ elsewhere than along axis {}",
                           to_string(*first), to_string(*part), axis);
            }
        }
    }
    scope.set(0, scope.type(0), out);
}

}  // namespace

std::vector<NamedRule> slicing_rules() {
    return {
        {"Slice", slice}, {"Split", split}, {"Gather", gather, 2}, {"Pad", pad}, {"Concat", concat},
    };
}

}  // namespace adiabat::net
