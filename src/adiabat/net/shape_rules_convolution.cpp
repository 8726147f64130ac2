// SPDX-License-Identifier: Apache-2.0
// Shapes of what slides a window over space: convolution, pooling; and batch normalization.
//
// out = floor((in + pads - ((kernel - 1) dilation + 1)) / stride) + 1, ceil where ceil_mode asks
// for it.
#include <algorithm>

#include "adiabat/net/shape_rules.h"

namespace adiabat::net {

namespace {

// The window of a Conv or a pool, one entry a spatial dimension.
struct Window {
    std::vector<int64_t> kernel, strides, dilations, pads;
    std::string auto_pad;
    bool ceil = false;
};

Window window_of(const RuleScope& scope, std::vector<int64_t> kernel) {
    const size_t rank = kernel.size();
    Window window;
    window.strides = scope.node.ints_or("strides", std::vector<int64_t>(rank, 1));
    window.dilations = scope.node.ints_or("dilations", std::vector<int64_t>(rank, 1));
    window.pads = scope.node.ints_or("pads", std::vector<int64_t>(2 * rank, 0));
    window.auto_pad = scope.node.string_or("auto_pad", "NOTSET");
    window.ceil = scope.node.int_or("ceil_mode", 0) != 0;
    window.kernel = std::move(kernel);
    if (window.strides.size() != rank || window.dilations.size() != rank ||
        window.pads.size() != 2 * rank) {
        scope.fail("{} spatial dimensions, but {} strides, {} dilations and {} pads", rank,
                   window.strides.size(), window.dilations.size(), window.pads.size());
    }
    // Beyond 2^31 a window is nonsense and sums could overflow.
    const auto sane = [](int64_t low) {
        return [low](int64_t x) { return x >= low && x <= INT32_MAX; };
    };
    for (const auto* list : {&window.kernel, &window.strides, &window.dilations}) {
        if (!std::all_of(list->begin(), list->end(), sane(1))) {
            scope.fail("kernel {}, strides {}, dilations {}: all must be positive",
                       to_string(window.kernel), to_string(window.strides),
                       to_string(window.dilations));
        }
    }
    if (!std::all_of(window.pads.begin(), window.pads.end(), sane(INT32_MIN))) {
        scope.fail("pads {} are out of range", to_string(window.pads));
    }
    return window;
}

int64_t slid(const RuleScope& scope, const Window& window, size_t k, int64_t size) {
    if (size == kUnknown) return kUnknown;
    const int64_t stride = window.strides[k];
    if (window.auto_pad.starts_with("SAME")) return (size + stride - 1) / stride;
    const bool padded = window.auto_pad != "VALID";
    const int64_t before = padded ? window.pads[k] : 0;
    const int64_t after = padded ? window.pads[k + window.kernel.size()] : 0;
    const int64_t reach = (window.kernel[k] - 1) * window.dilations[k] + 1;
    const int64_t room = size + before + after - reach;
    if (room < 0) {
        scope.fail("a window of {} does not fit the padded input of {}", reach,
                   size + before + after);
    }
    int64_t steps = window.ceil ? (room + stride - 1) / stride : room / stride;
    // A last window that would lie in the padding alone is left out.
    if (window.ceil && steps * stride >= size + before) --steps;
    return steps + 1;
}

void convolution(const RuleScope& scope) {
    const Shape *x = scope.shape(0), *w = scope.shape(1), *b = scope.shape(2);
    if (!w) return scope.set(0, scope.type(0));
    if (w->size() < 3) scope.fail("weight of shape {}: at least 3 dimensions", to_string(*w));
    if (std::find(w->begin(), w->end(), kUnknown) != w->end()) {
        return scope.set(0, scope.type(0), Shape(w->size(), kUnknown));
    }
    const int64_t group = scope.node.int_or("group", 1), filters = (*w)[0];
    if (group < 1 || group > std::max<int64_t>(filters, 1) || filters % group != 0) {
        scope.fail("{} filters in {} groups: the groups must be equal", filters, group);
    }
    if (b && *b != Shape{filters}) {
        scope.fail("bias of shape {} for {} filters", to_string(*b), filters);
    }
    const std::vector<int64_t> kernel(w->begin() + 2, w->end());
    if (scope.node.ints_or("kernel_shape", kernel) != kernel) {
        scope.fail("kernel_shape {}, but weight of shape {}",
                   to_string(scope.node.ints_or("kernel_shape", {})), to_string(*w));
    }
    if (!x) return scope.set(0, scope.type(0));
    if (x->size() != w->size()) {
        scope.fail("input of shape {} and weight of shape {}: both have the same rank",
                   to_string(*x), to_string(*w));
    }
    if ((*x)[1] != kUnknown && (*x)[1] != (*w)[1] * group) {
        scope.fail("weight takes {} channels, input has {}", (*w)[1] * group, (*x)[1]);
    }
    const Window window = window_of(scope, kernel);
    Shape out = {(*x)[0], filters};
    for (size_t k = 0; k < kernel.size(); ++k) {
        out.push_back(slid(scope, window, k, (*x)[k + 2]));
    }
    scope.set(0, scope.type(0), out);
}

void pool(const RuleScope& scope) {
    const Shape* x = scope.shape(0);
    const auto kernel = scope.node.ints_or("kernel_shape", {});
    if (kernel.empty()) scope.fail("has no kernel_shape");
    if (!x) return scope.set(0, scope.type(0));
    if (x->size() != kernel.size() + 2) {
        scope.fail("kernel {} on an input of shape {}", to_string(kernel), to_string(*x));
    }
    const Window window = window_of(scope, kernel);
    Shape out = {(*x)[0], (*x)[1]};
    for (size_t k = 0; k < kernel.size(); ++k) {
        out.push_back(slid(scope, window, k, (*x)[k + 2]));
    }
    scope.set(0, scope.type(0), out);
    scope.set(1, DType::kInt64, out);  // MaxPool's indices
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
        {"Conv", convolution, 2},       {"MaxPool", pool},
        {"AveragePool", pool},          {"GlobalAveragePool", global_pool},
        {"GlobalMaxPool", global_pool}, {"BatchNormalization", batch_normalization},
    };
}

}  // namespace adiabat::net
