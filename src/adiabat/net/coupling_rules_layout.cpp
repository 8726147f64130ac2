// SPDX-License-Identifier: Apache-2.0
//
// Coupling through operators that give the same elements another order or another shape.
#include <algorithm>
#include <numeric>

#include "adiabat/net/coupling_scope.h"
#include "adiabat/net/reshape_segments.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

namespace {

std::vector<int> longer_than_one(const Shape& shape, int begin, int end) {
    std::vector<int> axes;
    for (int axis = begin; axis < end; ++axis) {
        if (shape[static_cast<size_t>(axis)] != 1) axes.push_back(axis);
    }
    return axes;
}

Shape extents_of(const Shape& shape, const std::vector<int>& axes) {
    Shape extents;
    for (int axis : axes) extents.push_back(shape[static_cast<size_t>(axis)]);
    return extents;
}

// Index along one extent of element `position` of an array, row-major.
int64_t index_along(const Shape& extents, size_t part, int64_t position) {
    for (size_t k = extents.size() - 1; k > part; --k) position /= extents[k];
    return position % extents[part];
}

// The labels of a run of input axes, one an element. Of several axes that could be cut the longest
// stays free, the others are frozen.
struct Run {
    std::vector<Atom> atoms;  // empty where nothing is cut
    int axis = -1;            // the axis that is cut
};

Run labels_of_run(CouplingScope& s, const std::vector<int>& axes) {
    Run run;
    Labels labels;
    for (int axis : axes) {
        const Labels here = s.labels(0, axis);
        if (!here) continue;
        const bool longer = !labels || here->size() > labels->size();
        if (labels) {
            s.freeze(longer ? labels : here, "merges it with another axis that can be cut");
        }
        if (longer) {
            labels = here;
            run.axis = axis;
        }
    }
    if (!labels) return run;
    const Shape extents = extents_of(s.shape(0), axes);
    int64_t count = 1;
    for (int64_t extent : extents) count = count > kMaxLabels ? count : count * extent;
    if (count > kMaxLabels) {
        s.freeze(labels, "is too large to be followed");
        return {};
    }
    const auto part =
        static_cast<size_t>(std::find(axes.begin(), axes.end(), run.axis) - axes.begin());
    for (int64_t k = 0; k < count; ++k) {
        run.atoms.push_back((*labels)[static_cast<size_t>(index_along(extents, part, k))]);
    }
    return run;
}

// Labels along one of the output's axes where every element's label depends on that index alone.
bool set_along_one(CouplingScope& s, const std::vector<Atom>& atoms, const std::vector<int>& axes) {
    const Shape extents = extents_of(s.out_shape(), axes);
    for (size_t part = 0; part < axes.size(); ++part) {
        std::vector<Atom> along(static_cast<size_t>(extents[part]), -1);
        bool depends = true;
        for (size_t k = 0; k < atoms.size() && depends; ++k) {
            Atom& here =
                along[static_cast<size_t>(index_along(extents, part, static_cast<int64_t>(k)))];
            if (here < 0) here = atoms[k];
            depends = here == atoms[k];
        }
        if (!depends) continue;
        s.set(0, axes[part], s.make(std::move(along)));
        return true;
    }
    return false;
}

// For every output axis outside [begin, end) the input axis it was; nothing where another axis is
// reshaped as well.
std::optional<std::vector<int>> unchanged_axes(const std::vector<ReshapeSegment>& segments,
                                               const ReshapeSegment& but) {
    std::vector<int> from;
    for (const ReshapeSegment& segment : segments) {
        if (segment.in_begin == but.in_begin && segment.out_begin == but.out_begin) continue;
        if (!segment.known || segment.in_end - segment.in_begin != 1 ||
            segment.out_end - segment.out_begin != 1) {
            return std::nullopt;
        }
        from.push_back(segment.in_begin);
    }
    return from;
}

// One axis becomes several, no one of which tells the channel.
void split_axis(CouplingScope& s, const std::vector<ReshapeSegment>& segments,
                const ReshapeSegment& segment, Run run, const std::vector<int>& to) {
    auto split = std::make_shared<SplitAxis>();
    split->source = s.node.inputs[0];
    split->axis = run.axis;
    split->extents = extents_of(s.out_shape(), to);
    split->labels = std::move(run.atoms);
    JointLabels joint;
    joint.split = split;
    joint.axes = to;
    joint.parts.resize(to.size());
    std::iota(joint.parts.begin(), joint.parts.end(), 0);
    joint.extents = split->extents;
    joint.positions.resize(split->labels.size());
    std::iota(joint.positions.begin(), joint.positions.end(), 0);
    const auto others = unchanged_axes(segments, segment);
    const bool alone = segment.in_end - segment.in_begin == 1;
    split->whole = others && alone;
    if (others) joint.others = *others;
    s.set_joint(0, std::move(joint));
    if (!others) s.unite(s.node.outputs[0]);
}

// The parts of a split axis become one again, in another order, all other axes as they were.
bool merge_axis(CouplingScope& s, const std::vector<ReshapeSegment>& segments) {
    const JointLabels* joint = s.joint(0);
    if (!joint || !joint->split->whole) return false;
    for (const ReshapeSegment& segment : segments) {
        const auto from = longer_than_one(s.shape(0), segment.in_begin, segment.in_end);
        const auto to = longer_than_one(s.out_shape(), segment.out_begin, segment.out_end);
        if (!segment.known || from != joint->axes || to.size() != 1 ||
            segment.out_end - segment.out_begin != 1 || to[0] != joint->split->axis ||
            !unchanged_axes(segments, segment)) {
            continue;
        }
        // The others must be the source's, in its order.
        std::vector<int> expected;
        for (int axis = 0; axis < s.out_rank(); ++axis) {
            if (axis != to[0]) expected.push_back(axis);
        }
        if (joint->others != expected) return false;
        s.set(0, to[0], s.make(s.atoms_of(*joint)));
        s.move(joint->split->source, to[0], joint->positions, joint->split);
        return true;
    }
    return false;
}

void reshape_segment(CouplingScope& s, const std::vector<ReshapeSegment>& segments,
                     const ReshapeSegment& segment) {
    for (int axis = segment.in_begin; axis < segment.in_end; ++axis) {
        if (!segment.known) {
            s.freeze_axis(0, axis, "mixes it with an axis of unknown size");
        } else if (s.shape(0)[static_cast<size_t>(axis)] == 1) {
            s.freeze_axis(0, axis, "has one channel only");
        }
    }
    if (!segment.known) return;
    const auto from = longer_than_one(s.shape(0), segment.in_begin, segment.in_end);
    const auto to = longer_than_one(s.out_shape(), segment.out_begin, segment.out_end);
    if (from.size() == 1 && to.size() == 1) {
        s.set(0, to[0], s.labels(0, from[0]));
        return;
    }
    Run run = labels_of_run(s, from);
    if (run.atoms.empty()) return;
    if (to.size() == 1) {
        s.set(0, to[0], s.make(std::move(run.atoms)));
    } else if (!set_along_one(s, run.atoms, to)) {
        split_axis(s, segments, segment, std::move(run), to);
    }
}

void reshape_axes(CouplingScope& s) {
    const auto segments = reshape_segments(s.shape(0), s.out_shape());
    const bool merged = merge_axis(s, segments);
    for (const ReshapeSegment& segment : segments) {
        if (!merged) {
            reshape_segment(s, segments, segment);
        } else if (const Labels labels = s.labels_beside_joint(0, segment.in_begin)) {
            s.set(0, segment.out_begin, labels);
        }
    }
}

void reshape(CouplingScope& s) {
    if (!s.is_constant(1)) return s.freeze_all("reshapes to a shape that is computed");
    reshape_axes(s);
}

void transpose(CouplingScope& s) {
    const int rank = s.rank(0);
    std::vector<int64_t> order = s.node.ints_or("perm", {});
    if (order.empty()) {
        for (int axis = rank; axis-- > 0;) order.push_back(axis);
    }
    const JointLabels* joint = s.joint(0);
    if (!joint) {
        for (int axis = 0; axis < rank; ++axis) {
            s.set(0, axis, s.labels(0, static_cast<int>(order[static_cast<size_t>(axis)])));
        }
        return;
    }
    // Which part of the split each new axis is, and what the others were.
    JointLabels moved;
    moved.split = joint->split;
    std::vector<size_t> from;  // place among the joint's axes
    for (int axis = 0; axis < rank; ++axis) {
        const auto old = static_cast<int>(order[static_cast<size_t>(axis)]);
        const auto place = std::find(joint->axes.begin(), joint->axes.end(), old);
        if (place == joint->axes.end()) {
            const auto before = std::count_if(joint->axes.begin(), joint->axes.end(),
                                              [&](int other) { return other < old; });
            const auto k = static_cast<size_t>(old - before);
            moved.others.push_back(k < joint->others.size() ? joint->others[k] : -1);
            if (const Labels labels = s.labels_beside_joint(0, old)) s.set(0, axis, labels);
            continue;
        }
        from.push_back(static_cast<size_t>(place - joint->axes.begin()));
        moved.axes.push_back(axis);
        moved.parts.push_back(joint->parts[from.back()]);
        moved.extents.push_back(joint->extents[from.back()]);
    }
    for (int64_t k = 0; k < std::ssize(joint->positions); ++k) {
        int64_t position = 0;
        std::vector<int64_t> index(from.size());
        for (size_t part = 0; part < from.size(); ++part) {
            index[from[part]] = index_along(moved.extents, part, k);
        }
        for (size_t part = 0; part < from.size(); ++part) {
            position = position * joint->extents[part] + index[part];
        }
        moved.positions.push_back(joint->positions[static_cast<size_t>(position)]);
    }
    s.set_joint(0, std::move(moved));
}

// DCR takes channel (k, c) of (blocks, channels), CRD channel (c, k), to channel c.
void depth_to_space(CouplingScope& s) {
    const int64_t block = s.node.int_or("blocksize", 1), blocks = block * block;
    const bool by_column = s.node.string_or("mode", "DCR") == "CRD";
    for (int axis = 2; axis < s.rank(0); ++axis) s.freeze_axis(0, axis, "is put between pixels");
    const Labels labels = s.labels(0, 1);
    if (!labels || blocks < 1) return;
    const size_t channels = labels->size() / static_cast<size_t>(blocks);
    std::vector<Atom> out(channels, -1);
    for (size_t k = 0; k < labels->size(); ++k) {
        const size_t c = by_column ? k / static_cast<size_t>(blocks) : k % channels;
        if (out[c] < 0) out[c] = (*labels)[k];
        s.tie(out[c], (*labels)[k]);
    }
    s.set(0, 1, s.make(std::move(out)));
}

void space_to_depth(CouplingScope& s) {
    const int64_t block = s.node.int_or("blocksize", 1);
    for (int axis = 2; axis < s.rank(0); ++axis) s.freeze_axis(0, axis, "is put between channels");
    const Labels labels = s.labels(0, 1);
    if (!labels) return;
    std::vector<Atom> out;
    for (int64_t k = 0; k < block * block; ++k)
        out.insert(out.end(), labels->begin(), labels->end());
    s.set(0, 1, s.make(std::move(out)));
}

// An axis of extent 1 that becomes longer starts labels of its own, which nobody makes.
void expand(CouplingScope& s) {
    if (!s.is_constant(1)) return s.freeze_all("expands to a shape that is computed");
    const int shift = s.out_rank() - s.rank(0);
    for (int axis = 0; axis < s.out_rank(); ++axis) {
        const int64_t extent = s.out_shape()[static_cast<size_t>(axis)];
        const int own = axis - shift;
        const int64_t here = own < 0 ? 1 : s.shape(0)[static_cast<size_t>(own)];
        if (here == extent) {
            s.set(0, axis, s.labels(0, own));
        } else if (extent != kUnknown && extent <= kMaxLabels) {
            if (own >= 0) s.freeze_axis(0, own, "one channel is spread over several");
            s.set(0, axis, s.make(s.fresh(extent)));
        } else if (own >= 0) {
            s.freeze_axis(0, own, "expands to an unknown size");
        }
    }
}

void tile(CouplingScope& s) {
    const auto repeats = s.ints("repeats", 1);
    if (!repeats || std::ssize(*repeats) != s.rank(0)) {
        return s.freeze_all("repeats as often as is computed");
    }
    for (int axis = 0; axis < s.rank(0); ++axis) {
        const int64_t times = (*repeats)[static_cast<size_t>(axis)];
        const int64_t extent = s.out_shape()[static_cast<size_t>(axis)];
        const Labels labels = s.labels(0, axis);
        if (times == 1) {
            s.set(0, axis, labels);
        } else if (s.shape(0)[static_cast<size_t>(axis)] == 1) {
            s.freeze_axis(0, axis, "one channel is spread over several");
            if (extent > 0 && extent <= kMaxLabels) s.set(0, axis, s.make(s.fresh(extent)));
        } else if (labels && times > 0 && std::ssize(*labels) * times <= kMaxLabels) {
            std::vector<Atom> out;
            for (int64_t k = 0; k < times; ++k) {
                out.insert(out.end(), labels->begin(), labels->end());
            }
            s.set(0, axis, s.make(std::move(out)));
        } else if (labels) {
            s.freeze(labels, "repeats it too often");
        }
    }
}

// Axes that keep their size keep their labels; the others are interpolated.
void resize(CouplingScope& s) {
    const bool by_size = s.has(3);
    for (int axis = 0; axis < s.rank(0); ++axis) {
        const int64_t in = s.shape(0)[static_cast<size_t>(axis)];
        const int64_t out = s.out_shape()[static_cast<size_t>(axis)];
        if (in != out) {
            s.freeze_axis(0, axis, "interpolates along the axis");
        } else if (by_size && !s.is_constant(3)) {
            s.freeze_axis(0, axis, "resizes to a size that is computed");
        }
        if (in == out) s.set(0, axis, s.labels(0, axis));
    }
}

void squeeze(CouplingScope& s) { reshape_axes(s); }

// Sizes along axes that are cut must not be computed with, since only constants are rewritten.
void shape_of(CouplingScope& s) {
    const int rank = s.rank(0);
    const auto bound = [&](const char* name, int64_t otherwise) {
        int64_t value = s.node.int_or(name, otherwise);
        if (value < 0) value += rank;
        return std::clamp<int64_t>(value, 0, rank);
    };
    const int64_t start = bound("start", 0), end = bound("end", rank);
    std::vector<bool> used(static_cast<size_t>(rank), false);
    const ValueId shape = s.node.outputs[0];
    for (const Node& reader : s.graph().nodes) {
        if (std::find(reader.inputs.begin(), reader.inputs.end(), shape) == reader.inputs.end()) {
            continue;
        }
        const Tensor* indices = reader.op == "Gather" && reader.input(0) == shape
                                    ? s.graph().constant(reader.input(1))
                                    : nullptr;
        if (!indices) {
            for (int64_t axis = start; axis < end; ++axis) used[static_cast<size_t>(axis)] = true;
            continue;
        }
        for (int64_t index : indices->to_ints()) {
            const auto axis = normal_axis(index, end - start);
            if (axis) used[static_cast<size_t>(start + *axis)] = true;
        }
    }
    for (int axis = 0; axis < rank; ++axis) {
        if (used[static_cast<size_t>(axis)]) {
            s.freeze_axis(0, axis, "its size is read and computed with");
        }
    }
}

}  // namespace

std::vector<NamedCouplingRule> layout_coupling_rules() {
    return {
        {"Reshape", reshape, "followed through merged and split axes"},
        {"Flatten", reshape_axes, "followed, each channel once a pixel"},
        {"Squeeze", squeeze, "kept"},
        {"Unsqueeze", squeeze, "kept"},
        {"Transpose", transpose, "kept"},
        {"DepthToSpace", depth_to_space, "tied by blocks"},
        {"SpaceToDepth", space_to_depth, "repeated by blocks"},
        {"Expand", expand, "kept"},
        {"Tile", tile, "repeated"},
        {"Resize", resize, "kept where the size stays"},
        {"Upsample", resize, "kept where the size stays"},
        {"Shape", shape_of, "frozen where the size is computed with"},
    };
}

}  // namespace adiabat::net
