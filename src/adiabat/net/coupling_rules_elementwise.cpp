// SPDX-License-Identifier: Apache-2.0
//
// Coupling through operators that work element by element, with broadcasting, and through
// normalization with parameters a channel.
#include <algorithm>

#include "adiabat/net/coupling_scope.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

namespace {

// The inputs from `first` on, broadcast to the output: axes of its extent go together.
void broadcast_from(CouplingScope& s, size_t first) {
    const int rank = s.out_rank();
    for (int axis = 0; axis < rank; ++axis) {
        const int64_t extent = s.out_shape()[static_cast<size_t>(axis)];
        Labels labels;
        bool whole = false;  // an input of this extent is never cut there
        std::vector<std::pair<size_t, int>> constants;
        for (size_t input = first; input < s.node.inputs.size(); ++input) {
            const int own = s.has(input) ? axis - (rank - s.rank(input)) : -1;
            if (own < 0) continue;
            const int64_t here = s.shape(input)[static_cast<size_t>(own)];
            if (here == 1 && extent != 1) {
                s.freeze_axis(input, own, "one channel is spread over " + std::to_string(extent));
                continue;
            }
            if (s.is_constant(input)) constants.emplace_back(input, own);
            const Labels found = s.labels(input, own);
            if (found && labels) s.tie(labels, found);
            if (found && !labels) labels = found;
            if (!found && !s.is_constant(input)) whole = true;
        }
        if (whole && labels) {
            s.freeze(labels, "meets channels that are never cut");
            labels = nullptr;
        }
        for (const auto& [input, own] : constants) s.bind(input, own, labels);
        s.set(0, axis, labels);
    }
}

void elementwise(CouplingScope& s) { broadcast_from(s, 0); }

void unary(CouplingScope& s) { s.pass(0); }

// The condition of Where is broadcast like the rest.
void dropout(CouplingScope& s) {
    s.pass(0);
    s.pass(0, 1);
}

// Scales and zero points of one axis go with the channels.
void quantization(CouplingScope& s) {
    s.pass(0);
    const int axis = static_cast<int>(s.node.int_or("axis", 1));
    for (size_t input : {size_t{1}, size_t{2}}) {
        if (!s.has(input)) continue;
        if (s.rank(input) == 1 && s.shape(input)[0] > 1) s.bind(input, 0, s.labels(0, axis));
        if (s.rank(input) > 1) {
            for (int k = 0; k < s.rank(input); ++k) {
                s.freeze_axis(0, k, "is quantized in blocks");
            }
        }
    }
}

// Every further input has one number a channel.
void channel_parameters(CouplingScope& s) {
    s.pass(0);
    const Labels channels = s.labels(0, 1);
    for (size_t input = 1; input < s.node.inputs.size(); ++input) s.bind(input, 0, channels);
}

void batch_normalization(CouplingScope& s) {
    channel_parameters(s);
    for (size_t output = 1; output < s.node.outputs.size(); ++output) {
        if (s.wants(output)) s.freeze_axis(0, 1, "gives out the statistics of its training");
    }
}

// Group normalization is exported as this one between two Reshapes: whole groups can go.
void instance_normalization(CouplingScope& s) {
    s.unite(s.node.inputs[0], 1);
    for (int axis = 2; axis < s.rank(0); ++axis) s.freeze_axis(0, axis, "normalizes over the axis");
    channel_parameters(s);
}

// Mean and variance over the axes from `first` to `last`, which need all their entries.
void normalize_axes(CouplingScope& s, int first, int last) {
    for (int axis = first; axis < last; ++axis) {
        s.freeze_axis(0, axis, "normalizes across channels");
        for (size_t input = 1; input < s.node.inputs.size(); ++input) {
            if (!s.has(input)) continue;
            const int own = axis - (s.rank(0) - s.rank(input));
            if (own >= 0) s.bind(input, own, nullptr);
        }
    }
    s.pass(0);
}

void layer_normalization(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", -1), s.rank(0));
    normalize_axes(s, axis ? static_cast<int>(*axis) : 0, s.rank(0));
}

// The channels of one group are normalized together and go together. Before opset 21 the parameters
// have one entry a group.
void group_normalization(CouplingScope& s) {
    const Labels channels = s.labels(0, 1);
    const int64_t groups = s.node.int_or("num_groups", 1);
    for (int axis = 2; axis < s.rank(0); ++axis) s.freeze_axis(0, axis, "normalizes over the axis");
    if (channels && (groups < 1 || std::ssize(*channels) % groups != 0)) {
        s.freeze(channels, "has groups of unequal sizes");
    }
    if (!channels || groups < 1 || std::ssize(*channels) % groups != 0) {
        for (size_t input = 1; input < s.node.inputs.size(); ++input) s.bind(input, 0, nullptr);
        return;
    }
    const auto size = static_cast<size_t>(std::ssize(*channels) / groups);
    std::vector<Atom> firsts;
    for (size_t k = 0; k < channels->size(); ++k) {
        if (k % size == 0) firsts.push_back((*channels)[k]);
        s.tie(firsts.back(), (*channels)[k]);
    }
    for (size_t input = 1; input < s.node.inputs.size(); ++input) {
        s.bind(input, 0, s.opset() < 21 ? s.make(firsts) : channels);
    }
    s.set(0, 0, s.labels(0, 0));
    s.set(0, 1, channels);
}

void across_channels(CouplingScope& s) {
    s.freeze_axis(0, 1, "normalizes across channels");
    s.pass(0);
}

// Softmax over one axis, before opset 13 over all from it on.
void softmax(CouplingScope& s) {
    const bool old = s.opset() < 13;
    const auto axis = normal_axis(s.node.int_or("axis", old ? 1 : -1), s.rank(0));
    const int first = axis ? static_cast<int>(*axis) : 0;
    for (int k = first; k < (old ? s.rank(0) : first + 1); ++k) {
        s.freeze_axis(0, k, "needs all channels at once");
    }
    s.pass(0);
}

void one_axis(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", -1), s.rank(0));
    s.freeze_axis(0, axis ? static_cast<int>(*axis) : 0, "needs all channels at once");
    s.pass(0);
}

void mean_variance(CouplingScope& s) {
    for (int64_t axis : s.node.ints_or("axes", {0, 2, 3})) {
        s.freeze_axis(0, static_cast<int>(axis), "normalizes across channels");
    }
    s.pass(0);
}

void cumulative(CouplingScope& s) {
    const auto axis = s.ints("axis", 1);
    for (int k = 0; k < s.rank(0); ++k) {
        if (!axis || axis->empty() || normal_axis(axis->front(), s.rank(0)) == k) {
            s.freeze_axis(0, k, "sums one channel after the other");
        }
    }
    s.pass(0);
}

}  // namespace

std::vector<NamedCouplingRule> elementwise_coupling_rules() {
    std::vector<NamedCouplingRule> rules = {
        {"Dropout", dropout, "kept"},
        {"QuantizeLinear", quantization, "kept, scales go along"},
        {"DequantizeLinear", quantization, "kept, scales go along"},
        {"BatchNormalization", batch_normalization, "kept, parameters go along"},
        {"InstanceNormalization", instance_normalization, "kept, parameters go along"},
        {"LayerNormalization", layer_normalization, "frozen where normalized over"},
        {"RMSNormalization", layer_normalization, "frozen where normalized over"},
        {"GroupNormalization", group_normalization, "tied by groups"},
        {"LRN", across_channels, "frozen"},
        {"MeanVarianceNormalization", mean_variance, "frozen where normalized over"},
        {"LpNormalization", one_axis, "frozen on its axis"},
        {"Softmax", softmax, "frozen on its axis"},
        {"LogSoftmax", softmax, "frozen on its axis"},
        {"Hardmax", softmax, "frozen on its axis"},
        {"CumSum", cumulative, "frozen on its axis"},
    };
    for (const char* op : {"Abs",       "Acos",     "Acosh",      "Asin",     "Asinh",
                           "Atan",      "Atanh",    "BitwiseNot", "Cast",     "Ceil",
                           "Celu",      "Clip",     "Cos",        "Cosh",     "Elu",
                           "Erf",       "Exp",      "Floor",      "Gelu",     "HardSigmoid",
                           "HardSwish", "Identity", "IsInf",      "IsNaN",    "LeakyRelu",
                           "Log",       "Mish",     "Neg",        "Not",      "Reciprocal",
                           "Relu",      "Round",    "Selu",       "Shrink",   "Sigmoid",
                           "Sign",      "Sin",      "Sinh",       "Softplus", "Softsign",
                           "Sqrt",      "Swish",    "Tan",        "Tanh",     "ThresholdedRelu",
                           "CastLike"}) {
        rules.push_back({op, unary, "kept"});
    }
    for (const char* op : {"Add",        "And",         "BitShift", "BitwiseAnd", "BitwiseOr",
                           "BitwiseXor", "Div",         "Equal",    "Greater",    "GreaterOrEqual",
                           "Less",       "LessOrEqual", "Max",      "Mean",       "Min",
                           "Mod",        "Mul",         "Or",       "PRelu",      "Pow",
                           "Sub",        "Sum",         "Where",    "Xor"}) {
        rules.push_back({op, elementwise, "tied"});
    }
    return rules;
}

}  // namespace adiabat::net
