// SPDX-License-Identifier: Apache-2.0
#include "adiabat/apply/cut_rewrites.h"

#include <algorithm>
#include <numeric>

#include "adiabat/apply/cut.h"
#include "adiabat/base/errors.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::apply {

using net::kNoValue;
using net::Node;
using net::Tensor;
using net::ValueId;

bool CutScope::is_cut(ValueId id, int64_t axis) const {
    const auto* labels = coupling.labels_of(id, axis);
    if (!labels) return false;
    return std::any_of(labels->groups.begin(), labels->groups.end(), [&](net::GroupId group) {
        return group != net::kStays && cut[static_cast<size_t>(group)];
    });
}

int64_t CutScope::extent(ValueId id, int64_t axis) const {
    return (*before.value(id).shape)[static_cast<size_t>(axis)];
}

int64_t CutScope::extent_left(ValueId id, int64_t axis) const {
    return left_below(id, axis, extent(id, axis));
}

int64_t CutScope::left_below(ValueId id, int64_t axis, int64_t bound) const {
    const auto* labels = coupling.labels_of(id, axis);
    if (!labels) return bound;
    return std::count_if(labels->groups.begin(), labels->groups.begin() + bound,
                         [&](net::GroupId group) {
                             return group == net::kStays || !cut[static_cast<size_t>(group)];
                         });
}

std::vector<int64_t> CutScope::kept(ValueId id, int64_t axis) const {
    if (const auto* labels = coupling.labels_of(id, axis)) return kept_indices(*labels, cut);
    std::vector<int64_t> all(static_cast<size_t>(extent(id, axis)));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

std::vector<int64_t> CutScope::ints(const Node& node, const char* attribute, size_t k) const {
    if (node.has(attribute)) return node.ints_or(attribute, {});
    const Tensor* tensor = before.constant(node.input(k));
    return tensor ? tensor->to_ints() : std::vector<int64_t>{};
}

void CutScope::set_ints(Node& node, const char* attribute, size_t k, std::vector<int64_t> values) {
    if (node.has(attribute)) {
        node.attributes[attribute] = std::move(values);
        return;
    }
    const auto count = static_cast<int64_t>(values.size());
    if (node.inputs.size() <= k) node.inputs.resize(k + 1, kNoValue);
    const Tensor* old = before.constant(node.inputs[k]);
    Tensor tensor = Tensor::of<int64_t>({count}, values);
    if (old && old->type == net::DType::kInt32) {
        const std::vector<int32_t> narrow(values.begin(), values.end());
        tensor = Tensor::of<int32_t>({count}, narrow);
    }
    // The old constant may serve other nodes, which need not change.
    const std::string name = node.inputs[k] == kNoValue
                                 ? after.value(node.outputs[0]).name + "_" + attribute
                                 : after.value(node.inputs[k]).name;
    node.inputs[k] = after.add_constant(names_.take(name), std::move(tensor));
}

namespace {

bool any_cut(const CutScope& s, ValueId id) {
    const auto& shape = s.before.value(id).shape;
    if (!shape) return false;
    for (int64_t axis = 0; axis < std::ssize(*shape); ++axis) {
        if (s.is_cut(id, axis)) return true;
    }
    return false;
}

// A convolution cut by whole groups has fewer of them.
void convolution(CutScope& s, Node& node) {
    const int64_t groups = node.int_or("group", 1);
    if (groups == 1) return;
    const bool transposed = node.op == "ConvTranspose";
    const int64_t whole =
        transposed ? s.extent_left(node.outputs[0], 1) : s.extent_left(node.inputs[0], 1);
    node.attributes["group"] = whole / s.extent_left(node.inputs[1], 1);
}

void group_normalization(CutScope& s, Node& node) {
    const int64_t groups = node.int_or("num_groups", 1);
    const int64_t size = s.extent(node.inputs[0], 1) / groups;
    node.attributes["num_groups"] = s.extent_left(node.inputs[0], 1) / size;
}

// Entries of a shape that name a cut axis of the output; -1 and 0 stay what they are.
void target_shape(CutScope& s, Node& node) {
    std::vector<int64_t> target = s.ints(node, "shape", 1);
    const auto rank = std::ssize(*s.before.value(node.outputs[0]).shape);
    const auto shift = rank - std::ssize(target);  // Expand broadcasts
    bool changed = false;
    for (int64_t axis = std::max<int64_t>(shift, 0); axis < rank; ++axis) {
        int64_t& entry = target[static_cast<size_t>(axis - shift)];
        if (entry <= 0 || entry != s.extent(node.outputs[0], axis)) continue;
        const int64_t left = s.extent_left(node.outputs[0], axis);
        changed = changed || left != entry;
        entry = left;
    }
    if (changed) s.set_ints(node, "shape", 1, std::move(target));
}

void split(CutScope& s, Node& node) {
    const auto rank = std::ssize(*s.before.value(node.inputs[0]).shape);
    const int64_t axis = *net::normal_axis(node.int_or("axis", 0), rank);
    if (!s.is_cut(node.inputs[0], axis)) return;
    std::vector<int64_t> parts;
    for (ValueId id : node.outputs) parts.push_back(s.extent_left(id, axis));
    node.attributes.erase("num_outputs");
    if (s.before.opset < 13) {
        node.attributes["split"] = std::move(parts);
    } else {
        s.set_ints(node, "split", 1, std::move(parts));
    }
}

void gather(CutScope& s, Node& node) {
    const auto rank = std::ssize(*s.before.value(node.inputs[0]).shape);
    const int64_t axis = *net::normal_axis(node.int_or("axis", 0), rank);
    if (!s.is_cut(node.inputs[0], axis)) return;
    const Tensor& old = *s.before.constant(node.inputs[1]);
    std::vector<int64_t> indices = old.to_ints();
    for (int64_t& index : indices) {
        if (index < 0) index += s.extent(node.inputs[0], axis);
    }
    if (old.rank() == 0) {
        const int64_t index = s.left_below(node.inputs[0], axis, indices[0]);
        s.set_ints(node, "indices", 1, {index});
        net::Value& value = s.after.value(node.inputs[1]);
        auto scalar = std::make_shared<Tensor>(*value.constant);
        scalar->shape = {};
        value.shape = net::Shape{};
        value.constant = std::move(scalar);
        return;
    }
    std::vector<int64_t> left;
    for (int64_t k : s.kept(node.outputs[0], axis)) {
        left.push_back(s.left_below(node.inputs[0], axis, indices[static_cast<size_t>(k)]));
    }
    s.set_ints(node, "indices", 1, std::move(left));
}

// A slice of what is left: the bounds move. With steps other than 1 the channels that stay need
// not be equally far apart, and the axis is gathered.
void slice(CutScope& s, Node& node) {
    const ValueId data = node.inputs[0];
    const auto rank = std::ssize(*s.before.value(data).shape);
    std::vector<int64_t> starts = s.ints(node, "starts", 1), ends = s.ints(node, "ends", 2),
                         axes = s.ints(node, "axes", 3), steps = s.ints(node, "steps", 4);
    if (axes.empty()) {
        axes.resize(starts.size());
        std::iota(axes.begin(), axes.end(), 0);
    }
    for (size_t k = 0; k < axes.size(); ++k) {
        const int64_t axis = *net::normal_axis(axes[k], rank);
        if (!s.is_cut(data, axis)) continue;
        const int64_t step = steps.empty() ? 1 : steps[k];
        const auto range = net::slice_range(starts[k], ends[k], step, s.extent(data, axis));
        ADIABAT_CHECK(step == 1, "a slice with step {} reaches channels that are cut", step);
        // From the very start and to the very end stay as they are.
        if (starts[k] != 0) starts[k] = s.left_below(data, axis, range.start);
        if (ends[k] < s.extent(data, axis)) {
            ends[k] = s.left_below(data, axis, range.start + range.count);
        }
    }
    if (starts != s.ints(node, "starts", 1)) s.set_ints(node, "starts", 1, std::move(starts));
    if (ends != s.ints(node, "ends", 2)) s.set_ints(node, "ends", 2, std::move(ends));
}

void pad(CutScope& s, Node& node) {
    const ValueId from = node.inputs[0], to = node.outputs[0];
    const auto rank = std::ssize(*s.before.value(from).shape);
    std::vector<int64_t> pads = s.ints(node, "pads", 1), axes = s.ints(node, "axes", 3);
    if (axes.empty()) {
        axes.resize(static_cast<size_t>(rank));
        std::iota(axes.begin(), axes.end(), 0);
    }
    bool changed = false;
    for (size_t k = 0; k < axes.size(); ++k) {
        const int64_t axis = *net::normal_axis(axes[k], rank);
        int64_t &before = pads[k], &after = pads[k + axes.size()];
        if ((before == 0 && after == 0) || (!s.is_cut(from, axis) && !s.is_cut(to, axis))) continue;
        const int64_t in = s.extent(from, axis), out = s.extent(to, axis);
        before = before >= 0 ? s.left_below(to, axis, before) : -s.left_below(from, axis, -before);
        after = after >= 0 ? s.left_below(to, axis, out) - s.left_below(to, axis, out - after)
                           : -(s.left_below(from, axis, in) - s.left_below(from, axis, in + after));
        changed = true;
    }
    if (changed) s.set_ints(node, "pads", 1, std::move(pads));
}

void tile(CutScope& s, Node& node) {
    const ValueId from = node.inputs[0], to = node.outputs[0];
    std::vector<int64_t> repeats = s.ints(node, "repeats", 1);
    bool changed = false;
    for (size_t axis = 0; axis < repeats.size(); ++axis) {
        const auto place = static_cast<int64_t>(axis);
        if (!s.is_cut(to, place)) continue;
        const int64_t times = s.extent_left(to, place) / s.extent_left(from, place);
        changed = changed || times != repeats[axis];
        repeats[axis] = times;
    }
    if (changed) s.set_ints(node, "repeats", 1, std::move(repeats));
}

void resize(CutScope& s, Node& node) {
    std::vector<int64_t> sizes = s.ints(node, "sizes", 3);
    std::vector<int64_t> axes = node.ints_or("axes", {});
    if (sizes.empty()) return;
    if (axes.empty()) {
        axes.resize(sizes.size());
        std::iota(axes.begin(), axes.end(), 0);
    }
    bool changed = false;
    for (size_t k = 0; k < sizes.size(); ++k) {
        const int64_t axis =
            axes[k] < 0 ? axes[k] + std::ssize(*s.before.value(node.inputs[0]).shape) : axes[k];
        if (!s.is_cut(node.outputs[0], axis)) continue;
        sizes[k] = s.extent_left(node.outputs[0], axis);
        changed = true;
    }
    if (changed) s.set_ints(node, "sizes", 3, std::move(sizes));
}

}  // namespace

void rewrite_node(CutScope& scope, Node& node) {
    if (!node.domain.empty()) return;
    bool touched = false;
    for (ValueId id : node.inputs) touched = touched || (id != kNoValue && any_cut(scope, id));
    for (ValueId id : node.outputs) touched = touched || (id != kNoValue && any_cut(scope, id));
    if (!touched) return;
    if (node.op == "Conv" || node.op == "ConvTranspose") return convolution(scope, node);
    if (node.op == "GroupNormalization") return group_normalization(scope, node);
    if (node.op == "Reshape" || node.op == "Expand") return target_shape(scope, node);
    if (node.op == "Split") return split(scope, node);
    if (node.op == "Gather") return gather(scope, node);
    if (node.op == "Slice") return slice(scope, node);
    if (node.op == "Pad") return pad(scope, node);
    if (node.op == "Tile") return tile(scope, node);
    if (node.op == "Resize") return resize(scope, node);
}

}  // namespace adiabat::apply
