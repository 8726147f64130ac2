// SPDX-License-Identifier: Apache-2.0
//
// Coupling through pooling and reductions.
#include <algorithm>

#include "adiabat/net/coupling_scope.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

namespace {

void pool(CouplingScope& s) {
    for (int axis = 2; axis < s.rank(0); ++axis) s.freeze_axis(0, axis, "slides over the axis");
    // Indices count through all channels of an image.
    if (s.wants(1)) s.freeze_axis(0, 1, "gives out indices that count channels");
    for (int axis = 0; axis < std::min(2, s.rank(0)); ++axis) s.set(0, axis, s.labels(0, axis));
}

// Takes pixels of each channel from anywhere.
void sample(CouplingScope& s) {
    for (int axis = 0; axis < s.rank(0); ++axis) {
        if (axis != 1) s.freeze_axis(0, axis, "samples along the axis");
    }
    for (size_t input = 1; input < s.node.inputs.size(); ++input) {
        for (int axis = 0; s.has(input) && axis < s.rank(input); ++axis) {
            s.freeze_axis(input, axis, "says where to sample");
        }
    }
    s.set(0, 1, s.labels(0, 1));
}

// Which axes of input 0 are reduced; nothing where that is computed.
std::optional<std::vector<bool>> reduced_axes(const CouplingScope& s) {
    std::vector<bool> reduced(static_cast<size_t>(s.rank(0)), false);
    const auto axes = s.ints("axes", 1);
    if (!axes) return std::nullopt;
    for (int64_t axis : *axes) {
        const auto normal = normal_axis(axis, s.rank(0));
        if (!normal) return std::nullopt;
        reduced[static_cast<size_t>(*normal)] = true;
    }
    if (axes->empty() && s.node.int_or("noop_with_empty_axes", 0) == 0) {
        std::fill(reduced.begin(), reduced.end(), true);
    }
    return reduced;
}

void keep_the_rest(CouplingScope& s, const std::vector<bool>& reduced, bool keep) {
    int place = 0;
    for (int axis = 0; axis < s.rank(0); ++axis) {
        if (!reduced[static_cast<size_t>(axis)]) {
            s.set(0, place++, s.labels(0, axis));
        } else if (keep) {
            ++place;
        }
    }
}

template <bool is_sum>
void reduce(CouplingScope& s) {
    const auto reduced = reduced_axes(s);
    if (!reduced) return s.freeze_all("reduces over axes that are computed");
    for (int axis = 0; axis < s.rank(0); ++axis) {
        // A sum over fewer channels is the sum that ignores the others; a mean is not.
        if ((*reduced)[static_cast<size_t>(axis)] && !is_sum) {
            s.freeze_axis(0, axis, "needs all channels at once");
        }
    }
    keep_the_rest(s, *reduced, s.node.int_or("keepdims", 1) != 0);
}

void arg_reduce(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", 0), s.rank(0));
    if (!axis) return s.freeze_all("has no such axis");
    std::vector<bool> reduced(static_cast<size_t>(s.rank(0)), false);
    reduced[static_cast<size_t>(*axis)] = true;
    s.freeze_axis(0, static_cast<int>(*axis), "gives out indices of channels");
    keep_the_rest(s, reduced, s.node.int_or("keepdims", 1) != 0);
}

void top_k(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", -1), s.rank(0));
    s.freeze_axis(0, axis ? static_cast<int>(*axis) : 0, "sorts channels");
    for (int k = 0; k < s.rank(0); ++k) {
        if (axis && k == *axis) continue;
        s.set(0, k, s.labels(0, k));
        s.set(1, k, s.labels(0, k));
    }
}

}  // namespace

std::vector<NamedCouplingRule> reduction_coupling_rules() {
    std::vector<NamedCouplingRule> rules = {
        {"GridSample", sample, "kept"},
        {"RoiAlign", sample, "kept"},
        {"ArgMax", arg_reduce, "frozen on its axis"},
        {"ArgMin", arg_reduce, "frozen on its axis"},
        {"TopK", top_k, "frozen on its axis"},
    };
    for (const char* op : {"AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool",
                           "LpPool", "MaxPool"}) {
        rules.push_back({op, pool, "kept"});
    }
    // Channels of zeros add nothing to these.
    for (const char* op : {"ReduceL1", "ReduceL2", "ReduceSum", "ReduceSumSquare"}) {
        rules.push_back({op, reduce<true>, "read where summed over"});
    }
    for (const char* op : {"ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                           "ReduceMin", "ReduceProd"}) {
        rules.push_back({op, reduce<false>, "frozen where reduced"});
    }
    return rules;
}

}  // namespace adiabat::net
