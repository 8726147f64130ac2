// SPDX-License-Identifier: Apache-2.0
//
// Whether an operator treats the leading dimension as so many independent images: a table of rules.
// Where a rule needs a shape that is not known the answer is no, and the batch is then worked
// through whole.

#include <algorithm>
#include <array>

#include "adiabat/torch/plan.h"

namespace adiabat::torch {

using net::kNoValue;

namespace {

// clang-format off
constexpr std::array kImageByImage = {
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "AveragePool", "BatchNormalization",
    "BitwiseNot", "Cast", "CastLike", "Ceil", "Celu", "Clip", "Conv", "ConvInteger", "Cos", "Cosh",
    "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu", "GlobalAveragePool", "GlobalMaxPool",
    "GroupNormalization", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "IsInf",
    "IsNaN", "LRN", "LeakyRelu", "Log", "MaxPool", "Mish", "Neg", "Not", "PRelu",
    "QLinearAveragePool", "QLinearConv", "QLinearGlobalAveragePool", "QLinearLeakyRelu",
    "QLinearSigmoid", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin",
    "Sinh", "Softplus", "Softsign", "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu"};
constexpr std::array kBroadcast = {
    "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Mean",
    "Min", "Mod", "Mul", "Or", "Pow", "QLinearAdd", "QLinearMul", "Sub", "Sum", "Where", "Xor"};
// clang-format on

// What slides over space or regroups it.
constexpr std::array kSpaceByImage = {"ConvTranspose", "LpPool",       "GlobalLpPool",
                                      "DepthToSpace",  "SpaceToDepth", "Col2Im"};

template <size_t n>
bool among(const std::array<const char*, n>& names, const std::string& op) {
    return std::any_of(names.begin(), names.end(), [&](const char* name) { return op == name; });
}

class Rules {
  public:
    Rules(const Graph& graph, const Node& node, std::span<const uint8_t> carries)
        : graph_(graph), node_(node), carries_(carries) {}

    bool hold() const {
        const std::string& op = node_.op;
        if (among(kBroadcast, op)) return broadcast();
        if (op == "Concat") return all_carry() && off_batch(node_.int_or("axis", 1), rank(0));
        if (op == "QLinearConcat") {
            return parts_carry() && off_batch(node_.int_or("axis", 0), rank(2));
        }
        if (op == "MatMul") return matmul();
        if (op == "GridSample") return all_carry();
        if (op == "GatherElements" || op == "ScatterElements") {
            return all_carry() && off_batch(node_.int_or("axis", 0), rank(0));
        }
        if (op == "DeformConv") {
            return carries(0) && carries(2) && !carries(1) && !carries(3) &&
                   (node_.input(4) == kNoValue || carries(4));
        }
        if (!carries(0) || others_carry()) return false;
        // Indices count through the whole batch.
        if (op == "MaxPool" && node_.outputs.size() > 1 && node_.outputs[1] != kNoValue)
            return false;
        if (among(kImageByImage, op) || among(kSpaceByImage, op)) return true;
        if (op == "Resize" || op == "Upsample") return resize();
        if (op == "Tile") return begins_with_one();
        if (op == "Expand") return expand();
        if (op == "Trilu") return rank(0) >= 3;
        if (op == "TopK") return off_batch(node_.int_or("axis", -1), rank(0));
        if (op == "OneHot") {
            return rank(0) != net::kUnknown && off_batch(node_.int_or("axis", -1), rank(0) + 1);
        }
        if (op == "Compress" || op == "CenterCropPad") return names_axes_off_batch();
        if (op == "QuantizeLinear" || op == "DequantizeLinear") {
            return size(1) == 1 || off_batch(node_.int_or("axis", 1), rank(0));
        }
        if (op == "Softmax" || op == "LogSoftmax" || op == "Hardmax") {
            return off_batch(node_.int_or("axis", graph_.opset < 13 ? 1 : -1), rank(0));
        }
        if (op == "LayerNormalization" || op == "RMSNormalization" || op == "LpNormalization" ||
            op == "QLinearSoftmax") {
            return off_batch(node_.int_or("axis", -1), rank(0));
        }
        if (op == "ArgMax" || op == "ArgMin") {
            return off_batch(node_.int_or("axis", 0), rank(0));
        }
        if (op == "QLinearMatMul") return rank(0) >= 2 && rank(3) == 2;
        if (op == "QGemm") return node_.int_or("transA", 0) == 0 && adds_to_rows(6, 2);
        if (op == "Gemm") return node_.int_or("transA", 0) == 0 && adds_to_rows(2, 2);
        if (op == "Flatten") return axis(node_.int_or("axis", 1), rank(0)) == 1;
        if (op == "Reshape") return reshape();
        if (op == "Transpose") {
            const auto perm = node_.ints_or("perm", {});
            return !perm.empty() && perm[0] == 0;
        }
        if (op == "Gather" || op == "Split") {
            return off_batch(node_.int_or("axis", 0), rank(0));
        }
        if (op == "Slice") return slice();
        if (op == "Pad") return pad();
        if (op == "Squeeze" || op == "Unsqueeze" || op.starts_with("Reduce"))
            return axes_off_batch();
        return false;
    }

  private:
    bool carries(size_t k) const {
        return node_.input(k) != kNoValue && carries_[static_cast<size_t>(node_.input(k))];
    }
    bool all_carry() const {
        for (size_t k = 0; k < node_.inputs.size(); ++k) {
            if (!carries(k)) return false;
        }
        return true;
    }
    // Of inputs 2, 5, 8, ...
    bool parts_carry() const {
        for (size_t k = 2; k < node_.inputs.size(); k += 3) {
            if (!carries(k)) return false;
        }
        return true;
    }
    bool others_carry() const {
        for (size_t k = 1; k < node_.inputs.size(); ++k) {
            if (carries(k)) return true;
        }
        return false;
    }

    const net::Shape* shape_of(ValueId id) const {
        if (id == kNoValue) return nullptr;
        const net::Value& value = graph_.value(id);
        if (value.constant) return &value.constant->shape;
        return value.shape ? &*value.shape : nullptr;
    }
    const net::Shape* shape(size_t k) const { return shape_of(node_.input(k)); }
    int64_t rank(size_t k) const {
        return shape(k) ? static_cast<int64_t>(shape(k)->size()) : net::kUnknown;
    }
    int64_t size(size_t k) const {
        const net::Tensor* tensor = graph_.constant(node_.input(k));
        return tensor ? tensor->size() : net::kUnknown;
    }

    static int64_t axis(int64_t a, int64_t rank) {
        return a >= 0 ? a : rank == net::kUnknown ? 0 : a + rank;
    }
    static bool off_batch(int64_t a, int64_t rank) { return axis(a, rank) != 0; }

    // Whether input k, which has no batch, broadcasts along the rows of a tensor of rank `r`.
    bool adds_to_rows(size_t k, int64_t r) const {
        if (node_.input(k) == kNoValue) return true;
        const net::Shape* s = shape(k);
        if (!s || r == net::kUnknown) return false;
        const auto mine = static_cast<int64_t>(s->size());
        return mine < r || (mine == r && (*s)[0] == 1);
    }

    bool broadcast() const {
        int64_t r = net::kUnknown;
        for (size_t k = 0; k < node_.inputs.size(); ++k) {
            if (!carries(k)) continue;
            if (rank(k) == net::kUnknown || (r != net::kUnknown && rank(k) != r)) return false;
            r = rank(k);
        }
        for (size_t k = 0; k < node_.inputs.size(); ++k) {
            if (!carries(k) && !adds_to_rows(k, r)) return false;
        }
        return true;
    }

    bool matmul() const {
        if (carries(0) && !carries(1)) {
            return rank(0) >= 2 && rank(1) != net::kUnknown &&
                   (rank(1) == 2 || adds_to_rows(1, rank(0)));
        }
        return carries(0) && carries(1) && rank(0) >= 3 && rank(0) == rank(1);
    }

    // The leading dimension stays if it is copied (0) or left over (-1) and an image keeps its
    // size.
    bool reshape() const {
        const net::Tensor* target = graph_.constant(node_.input(1));
        if (!target || target->size() == 0) return false;
        const auto dims = target->to_ints();
        if (dims[0] != 0 && dims[0] != -1) return false;
        if (dims[0] == 0 && node_.int_or("allowzero", 0) == 0) return true;
        const net::Shape* in = shape(0);
        if (!in) return false;
        int64_t per_image = 1, asked = 1;
        for (size_t k = 1; k < in->size(); ++k) {
            if ((*in)[k] < 0) return false;
            per_image *= (*in)[k];
        }
        for (size_t k = 1; k < dims.size(); ++k) {
            if (dims[k] <= 0 && !(dims[k] == 0 && k < in->size())) return false;
            asked *= dims[k] == 0 ? (*in)[k] : dims[k];
        }
        return per_image == asked;
    }

    // Axes by attribute or by input `k`; empty where there are none.
    bool constant_ints(const char* attribute, size_t k, std::vector<int64_t>& out) const {
        out = node_.ints_or(attribute, {});
        if (!out.empty() || node_.input(k) == kNoValue) return true;
        const net::Tensor* tensor = graph_.constant(node_.input(k));
        if (tensor) out = tensor->to_ints();
        return tensor != nullptr;
    }

    bool axes_off_batch() const {
        std::vector<int64_t> axes;
        if (!constant_ints("axes", 1, axes)) return false;
        if (axes.empty()) {
            return node_.op.starts_with("Reduce") && node_.int_or("noop_with_empty_axes", 0) != 0;
        }
        int64_t r = rank(0);
        if (node_.op == "Unsqueeze" && r != net::kUnknown) r += static_cast<int64_t>(axes.size());
        return std::all_of(axes.begin(), axes.end(), [&](int64_t a) { return off_batch(a, r); });
    }

    // Axes by attribute, all but the first.
    bool names_axes_off_batch() const {
        auto axes = node_.ints_or("axes", {});
        if (node_.op == "Compress" && node_.has("axis")) axes = {node_.int_or("axis", 0)};
        return !axes.empty() && std::all_of(axes.begin(), axes.end(),
                                            [&](int64_t a) { return off_batch(a, rank(0)); });
    }

    bool resize() const {
        if (node_.has("axes")) return names_axes_off_batch();
        if (node_.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize") {
            return false;
        }
        if (node_.has("scales")) {
            const auto scales = node_.floats_or("scales", {});
            return !scales.empty() && scales[0] == 1;
        }
        // Sizes name the batch, scales need not touch it.
        const bool old = node_.op == "Upsample" || graph_.opset < 11;
        const net::Tensor* scales = graph_.constant(node_.input(old ? 1 : 2));
        if (!scales || (!old && node_.input(3) != kNoValue) || scales->size() == 0) return false;
        return scales->to_doubles()[0] == 1;
    }

    bool begins_with_one() const {
        const net::Tensor* repeats = graph_.constant(node_.input(1));
        return repeats && repeats->size() > 0 && repeats->to_ints()[0] == 1;
    }

    bool expand() const {
        const net::Tensor* target = graph_.constant(node_.input(1));
        if (!target || rank(0) == net::kUnknown) return false;
        return target->size() < rank(0) || (target->size() == rank(0) && begins_with_one());
    }

    bool slice() const {
        std::vector<int64_t> axes;
        if (!constant_ints("axes", 3, axes) || axes.empty()) return false;
        return std::all_of(axes.begin(), axes.end(),
                           [&](int64_t a) { return off_batch(a, rank(0)); });
    }

    bool pad() const {
        std::vector<int64_t> pads, axes;
        if (!constant_ints("pads", 1, pads) || pads.empty()) return false;
        if (!constant_ints("axes", 3, axes)) return false;
        if (!axes.empty()) {
            return std::all_of(axes.begin(), axes.end(),
                               [&](int64_t a) { return off_batch(a, rank(0)); });
        }
        return pads[0] == 0 && pads[pads.size() / 2] == 0;
    }

    const Graph& graph_;
    const Node& node_;
    std::span<const uint8_t> carries_;
};

}  // namespace

bool keeps_batch(const Graph& graph, const Node& node, std::span<const uint8_t> carries) {
    return Rules(graph, node, carries).hold();
}

}  // namespace adiabat::torch
