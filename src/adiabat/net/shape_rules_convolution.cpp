// SPDX-License-Identifier: Apache-2.0
// Shapes of what slides a window over space: convolution, pooling; and batch normalization.
//
// out = floor((in + pads - ((kernel - 1) dilation + 1)) / stride) + 1, ceil where ceil_mode asks
// for it.
#include <algorithm>

#include "adiabat/net/shape_arithmetic.h"
#include "adiabat/net/shape_rules.h"
#include "adiabat/net/sliding_window.h"

namespace adiabat::net {

namespace {

Fail fail_of(const RuleScope& scope) {
    return [&scope](const std::string& text) { scope.fail("{}", text); };
}

bool known(const Shape& shape) {
    return std::find(shape.begin(), shape.end(), kUnknown) == shape.end();
}

// The spatial dimensions of the weight, which kernel_shape may only repeat.
std::vector<int64_t> kernel_of(const RuleScope& scope, const Shape& w) {
    std::vector<int64_t> kernel(w.begin() + 2, w.end());
    if (scope.node.ints_or("kernel_shape", kernel) != kernel) {
        scope.fail("kernel_shape {}, but weight of shape {}",
                   to_string(scope.node.ints_or("kernel_shape", {})), to_string(w));
    }
    return kernel;
}

// That input, weight and bias fit, for as many filters and channels in all groups together.
void check_channels(const RuleScope& scope, const Shape* x, const Shape& w, const Shape* bias,
                    int64_t filters, int64_t channels) {
    const int64_t group = scope.node.int_or("group", 1);
    if (group < 1 || filters % group != 0 || channels % group != 0) {
        scope.fail("{} channels to {} filters in {} groups: the groups must be equal", channels,
                   filters, group);
    }
    if (bias && known(*bias) && *bias != Shape{filters}) {
        scope.fail("bias of shape {} for {} filters", to_string(*bias), filters);
    }
    if (!x) return;
    if (x->size() != w.size()) {
        scope.fail("input of shape {} and weight of shape {}: both have the same rank",
                   to_string(*x), to_string(w));
    }
    if ((*x)[1] != kUnknown && (*x)[1] != channels) {
        scope.fail("weight takes {} channels, input has {}", channels, (*x)[1]);
    }
}

// The weight's shape where it is known, which must be [M, C / group, k ..].
const Shape* weight_shape(const RuleScope& scope, size_t input) {
    const Shape* w = scope.shape(input);
    if (!w) return nullptr;
    if (w->size() < 3) scope.fail("weight of shape {}: at least 3 dimensions", to_string(*w));
    return w;
}

// The channels of all groups, of `each` in one.
int64_t in_groups(const RuleScope& scope, int64_t each) {
    int64_t all = 0;
    const int64_t group = scope.node.int_or("group", 1);
    if (group < 1 || __builtin_mul_overflow(each, group, &all) || all > kMaxDimension) {
        scope.fail("{} groups of {} channels", group, each);
    }
    return all;
}

// The output of a convolution whose inputs stand at those positions, nothing where their shapes are
// not known.
std::optional<Shape> convolution_shape(const RuleScope& scope, size_t input, size_t weight,
                                       size_t bias) {
    const Shape *x = scope.shape(input), *w = weight_shape(scope, weight);
    if (!w) return std::nullopt;
    if (!known(*w)) return Shape(w->size(), kUnknown);
    check_channels(scope, x, *w, scope.shape(bias), (*w)[0], in_groups(scope, (*w)[1]));
    const Fail fail = fail_of(scope);
    const SlidingWindow window = read_window(scope.node, kernel_of(scope, *w), fail);
    if (!x) {  // the weight tells the rank
        Shape out(w->size(), kUnknown);
        out[1] = (*w)[0];
        return out;
    }
    Shape out = {(*x)[0], (*w)[0]};
    for (size_t k = 0; k < window.rank(); ++k) {
        out.push_back(positions(window, k, (*x)[k + 2], fail));
    }
    return out;
}

void convolution(const RuleScope& scope) {
    scope.set(0, scope.type(0), convolution_shape(scope, 0, 1, 2));
}

void transposed_convolution(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *w = weight_shape(scope, 1);
    if (!w) return scope.set(0, scope.type(0));
    if (!known(*w)) return scope.set(0, scope.type(0), Shape(w->size(), kUnknown));
    const int64_t filters = in_groups(scope, (*w)[1]);
    check_channels(scope, x, *w, scope.shape(2), filters, (*w)[0]);
    const Fail fail = fail_of(scope);
    const TransposedWindow transposed =
        read_transposed_window(scope.node, kernel_of(scope, *w), fail);
    if (!x) {
        Shape out(w->size(), kUnknown);
        out[1] = filters;
        return scope.set(0, scope.type(0), out);
    }
    Shape out = {(*x)[0], filters};
    for (size_t k = 0; k + 2 < w->size(); ++k) {
        out.push_back(transposed.extent(k, (*x)[k + 2], fail).size);
    }
    scope.set(0, scope.type(0), out);
}

void deformable_convolution(const RuleScope& scope) {
    const auto out = convolution_shape(scope, 0, 1, 3);
    const Shape *w = scope.shape(1), *offset = scope.shape(2), *mask = scope.shape(4);
    const int64_t groups = scope.node.int_or("offset_group", 1);
    if (out && w && known(*w)) {
        const std::vector<int64_t> kernel(w->begin() + 2, w->end());
        if (kernel.size() != 2) scope.fail("weight of shape {}: two dimensions", to_string(*w));
        const int64_t channels = in_groups(scope, (*w)[1]);
        if (groups < 1 || channels % groups != 0) {
            scope.fail("{} channels in {} groups of offsets", channels, groups);
        }
        const int64_t taps = elements(kernel) * groups;
        for (const auto& [shape, wanted] : {std::pair(offset, 2 * taps), std::pair(mask, taps)}) {
            if (!shape || shape->size() != 4 || (*shape)[1] == kUnknown || (*shape)[1] == wanted)
                continue;
            scope.fail("offsets or mask of shape {} for {} taps", to_string(*shape), taps);
        }
    }
    scope.set(0, scope.type(0), out);
}

void pool(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto kernel = scope.node.ints_or("kernel_shape", {});
    if (kernel.empty()) scope.fail("has no kernel_shape");
    const Fail fail = fail_of(scope);
    const SlidingWindow window = read_window(scope.node, kernel, fail);
    for (size_t k = 0; k < kernel.size(); ++k) {
        if (std::max(window.begins[k], window.ends[k]) >= window.reach(k)) {
            scope.fail("pads of {} and {} for a window of {}: the pads must be smaller",
                       window.begins[k], window.ends[k], window.reach(k));
        }
    }
    if (!x) {
        scope.set(1, DType::kInt64);
        return scope.set(0, scope.type(0));
    }
    if (x->size() != kernel.size() + 2) {
        scope.fail("kernel {} on an input of shape {}", to_string(kernel), to_string(*x));
    }
    Shape out = {(*x)[0], (*x)[1]};
    for (size_t k = 0; k < kernel.size(); ++k) {
        out.push_back(positions(window, k, (*x)[k + 2], fail));
    }
    scope.set(0, scope.type(0), out);
    scope.set(1, DType::kInt64, out);  // MaxPool's indices
}

void unpool(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *indices = scope.shape(1);
    const auto kernel = scope.node.ints_or("kernel_shape", {});
    if (kernel.empty()) scope.fail("has no kernel_shape");
    const SlidingWindow window = read_window(scope.node, kernel, fail_of(scope));
    if (x && x->size() != kernel.size() + 2) {
        scope.fail("kernel {} on an input of shape {}", to_string(kernel), to_string(*x));
    }
    if (x && indices && known(*x) && known(*indices) && *x != *indices) {
        scope.fail("indices of shape {} for values of shape {}", to_string(*indices),
                   to_string(*x));
    }
    if (scope.has(2)) {
        const auto wanted = scope.ints("", 2);
        if (!wanted) return scope.set(0, scope.type(0), Shape(kernel.size() + 2, kUnknown));
        if (wanted->size() != kernel.size() + 2) {
            scope.fail("output_shape {} for {} dimensions", to_string(*wanted), kernel.size() + 2);
        }
        if (std::any_of(wanted->begin(), wanted->end(), [](int64_t d) { return d < 0; })) {
            scope.fail("output_shape {}", to_string(*wanted));
        }
        return scope.set(0, scope.type(0), Shape(*wanted));
    }
    if (!x) return scope.set(0, scope.type(0));
    Shape out = {(*x)[0], (*x)[1]};
    for (size_t k = 0; k < kernel.size(); ++k) {
        const int64_t size = (*x)[k + 2];
        const int64_t full = (size - 1) * window.strides[k] + kernel[k];
        out.push_back(size == kUnknown ? kUnknown : full - window.begins[k] - window.ends[k]);
        if (out.back() < kUnknown) scope.fail("pads leave nothing of {} elements", full);
    }
    scope.set(0, scope.type(0), out);
}

void global_pool(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    if (x->size() < 2) scope.fail("input of shape {}: at least [N, C]", to_string(*x));
    Shape out(x->size(), 1);
    std::copy_n(x->begin(), 2, out.begin());
    scope.set(0, scope.type(0), out);
}

void batch_normalization(const RuleScope& scope) {
    constexpr const char* kNames[] = {"scale", "bias", "mean", "variance"};
    const Shape* x = scope.shape(0);
    if (!x) return scope.set(0, scope.type(0));
    const int64_t channels = x->size() < 2 ? kUnknown : (*x)[1];
    for (size_t k = 1; k <= 4; ++k) {
        const Shape* parameter = scope.shape(k);
        if (!parameter || channels == kUnknown || scope.node.int_or("spatial", 1) == 0) continue;
        if (*parameter != Shape{channels}) {
            scope.fail("{} of shape {}, input has {} channels", kNames[k - 1],
                       to_string(*parameter), channels);
        }
    }
    scope.set(0, scope.type(0), *x);
    for (size_t k = 1; k < scope.node.outputs.size(); ++k)
        scope.set(k, scope.type(1), Shape{channels});
}

}  // namespace

std::vector<NamedRule> convolution_rules() {
    return {
        {"Conv", convolution, 2},
        {"ConvTranspose", transposed_convolution, 2},
        {"DeformConv", deformable_convolution, 3},
        {"MaxPool", pool},
        {"AveragePool", pool},
        {"LpPool", pool},
        {"MaxUnpool", unpool, 2},
        {"GlobalAveragePool", global_pool},
        {"GlobalMaxPool", global_pool},
        {"GlobalLpPool", global_pool},
        {"BatchNormalization", batch_normalization},
    };
}

}  // namespace adiabat::net
