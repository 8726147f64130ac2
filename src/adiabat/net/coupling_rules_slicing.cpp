// SPDX-License-Identifier: Apache-2.0
//
// Coupling through operators that take a part of an axis or put parts behind each other.
#include <algorithm>

#include "adiabat/net/coupling_scope.h"
#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

namespace {

void pass_others(CouplingScope& s, size_t input, size_t output, int64_t axis) {
    for (int k = 0; k < s.rank(input); ++k) {
        if (k != axis) s.set(output, k, s.labels(input, k));
    }
}

Labels part_of(CouplingScope& s, const Labels& labels, int64_t begin, int64_t count,
               int64_t step = 1) {
    if (!labels) return nullptr;
    std::vector<Atom> atoms;
    for (int64_t k = 0; k < count; ++k) {
        const int64_t from = begin + k * step;
        if (from < 0 || from >= std::ssize(*labels)) return nullptr;
        atoms.push_back((*labels)[static_cast<size_t>(from)]);
    }
    return s.make(std::move(atoms));
}

void slice(CouplingScope& s) {
    const auto starts = s.ints("starts", 1), ends = s.ints("ends", 2), steps = s.ints("steps", 4);
    auto axes = s.ints("axes", 3);
    if (!starts || !ends || !axes || !steps || ends->size() != starts->size()) {
        return s.freeze_all("slices where it is computed");
    }
    if (axes->empty()) {
        for (int64_t k = 0; k < std::ssize(*starts); ++k) axes->push_back(k);
    }
    std::vector<uint8_t> sliced(static_cast<size_t>(s.rank(0)));
    for (size_t k = 0; k < axes->size() && k < starts->size(); ++k) {
        const auto axis = normal_axis((*axes)[k], s.rank(0));
        if (!axis) return s.freeze_all("slices an axis that is not there");
        sliced[static_cast<size_t>(*axis)] = 1;
        const int place = static_cast<int>(*axis);
        const Labels labels = s.labels(0, place);
        const int64_t step = k < steps->size() ? (*steps)[k] : 1;
        if (!labels || step == 0) continue;
        const SliceRange range = slice_range((*starts)[k], (*ends)[k], step, std::ssize(*labels));
        if (step != 1 && starts->size() > 1) {
            s.freeze(labels, "takes every so many channels, and a part of another axis");
            continue;
        }
        s.set(0, place, part_of(s, labels, range.start, range.count, range.step));
        if (step == 1) continue;
        std::vector<int64_t> positions;
        for (int64_t n = 0; n < range.count; ++n) positions.push_back(range.start + n * step);
        s.move(s.node.inputs[0], place, std::move(positions));
    }
    for (int axis = 0; axis < s.rank(0); ++axis) {
        if (!sliced[static_cast<size_t>(axis)]) s.set(0, axis, s.labels(0, axis));
    }
}

void split(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", 0), s.rank(0));
    if (!axis) return s.freeze_all("splits an axis that is not there");
    const Labels labels = s.labels(0, static_cast<int>(*axis));
    if (labels && s.has(1) && !s.is_constant(1)) {
        s.freeze(labels, "splits where it is computed");
    }
    int64_t offset = 0;
    for (size_t output = 0; output < s.node.outputs.size(); ++output) {
        if (!s.wants(output)) {
            s.freeze(labels, "has a part that is not wanted");
            return;
        }
        const int64_t count = s.out_shape(output)[static_cast<size_t>(*axis)];
        pass_others(s, 0, output, *axis);
        if (labels && count >= 0) {
            s.set(output, static_cast<int>(*axis), part_of(s, labels, offset, count));
        }
        offset += count;
    }
}

void concat(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", 1), s.out_rank());
    if (!axis) return s.freeze_all("joins along an axis that is not there");
    const int place = static_cast<int>(*axis);
    std::vector<Atom> atoms;
    bool any = false, known = true;
    for (size_t input = 0; input < s.node.inputs.size(); ++input) {
        const int64_t extent = s.shape(input)[static_cast<size_t>(place)];
        known = known && extent >= 0 && std::ssize(atoms) + extent <= kMaxLabels;
        if (!known) break;
        Labels labels = s.labels(input, place);
        any = any || labels;
        if (!labels) {
            labels = s.make(s.fresh(extent));
            known = labels != nullptr;
            if (!known) break;
            if (s.is_constant(input)) {
                s.bind(input, place, labels);
            } else {
                s.freeze(labels, "joins it with channels that are never cut");
            }
        }
        atoms.insert(atoms.end(), labels->begin(), labels->end());
    }
    if (any && known) s.set(0, place, s.make(std::move(atoms)));
    if (!known) {
        for (size_t input = 0; input < s.node.inputs.size(); ++input) {
            s.freeze_axis(input, place, "joins axes of unknown size");
        }
    }
    for (int k = 0; k < s.out_rank(); ++k) {
        if (k == place) continue;
        Labels labels;
        for (size_t input = 0; input < s.node.inputs.size() && !labels; ++input) {
            labels = s.labels(input, k);
        }
        for (size_t input = 0; input < s.node.inputs.size(); ++input) s.bind(input, k, labels);
        s.set(0, k, labels);
    }
}

// Channels that a constant pad adds belong to no maker.
void pad(CouplingScope& s) {
    const auto pads = s.ints("pads", 1), axes = s.ints("axes", 3);
    const int64_t count = axes && !axes->empty() ? std::ssize(*axes) : s.rank(0);
    if (!pads || !axes || std::ssize(*pads) != 2 * count) {
        return s.freeze_all("pads by amounts that are computed");
    }
    const bool constant = s.node.string_or("mode", "constant") == "constant";
    for (int axis = 0; axis < s.rank(0); ++axis) {
        const auto at = static_cast<size_t>(axis);
        if (s.shape(0)[at] == s.out_shape()[at]) s.set(0, axis, s.labels(0, axis));
    }
    for (int64_t k = 0; k < count; ++k) {
        const auto axis =
            normal_axis(axes->empty() ? k : (*axes)[static_cast<size_t>(k)], s.rank(0));
        if (!axis) return s.freeze_all("pads an axis that is not there");
        const int place = static_cast<int>(*axis);
        const int64_t before = (*pads)[static_cast<size_t>(k)],
                      after = (*pads)[static_cast<size_t>(k + count)];
        if (before == 0 && after == 0) continue;
        const Labels labels = s.labels(0, place);
        s.set(0, place, nullptr);
        if (!labels) continue;
        const int64_t extent = std::ssize(*labels);
        const bool fits = before <= kMaxLabels && after <= kMaxLabels && before > -extent &&
                          after > -extent && before + after > -extent;
        if (!constant || !fits) {
            s.freeze(labels, "pads it with copies of itself");
            continue;
        }
        std::vector<Atom> atoms = s.fresh(std::max<int64_t>(before, 0));
        atoms.insert(atoms.end(), labels->begin() + std::max<int64_t>(-before, 0),
                     labels->end() - std::max<int64_t>(-after, 0));
        const auto behind = s.fresh(std::max<int64_t>(after, 0));
        atoms.insert(atoms.end(), behind.begin(), behind.end());
        s.set(0, place, s.make(std::move(atoms)));
    }
}

void gather(CouplingScope& s) {
    const auto axis = normal_axis(s.node.int_or("axis", 0), s.rank(0));
    if (!axis) return s.freeze_all("takes from an axis that is not there");
    const int place = static_cast<int>(*axis), indexed = s.rank(1);
    for (int k = 0; k < s.rank(0); ++k) {
        if (k != place) s.set(0, k < place ? k : k + indexed - 1, s.labels(0, k));
    }
    const Labels labels = s.labels(0, place);
    if (!labels) return;
    const auto indices = s.ints("", 1);
    if (!indices || indexed > 1) {
        s.freeze(labels, "takes channels by indices that are computed");
        return;
    }
    std::vector<Atom> atoms;
    for (int64_t index : *indices) {
        const auto from = normal_axis(index, std::ssize(*labels));
        if (!from) return s.freeze_all("takes a channel that is not there");
        atoms.push_back((*labels)[static_cast<size_t>(*from)]);
    }
    if (indexed == 1) {
        const Labels taken = s.make(std::move(atoms));
        s.bind(1, 0, taken);  // the indices of what goes go too
        s.set(0, place, taken);
    } else {
        s.freeze(atoms.front(), "takes out this channel alone");
    }
}

}  // namespace

std::vector<NamedCouplingRule> slicing_coupling_rules() {
    return {
        {"Slice", slice, "followed"},
        {"Split", split, "followed"},
        {"Concat", concat, "followed, offsets added"},
        {"Pad", pad, "followed; padded channels go along"},
        {"Gather", gather, "followed where the indices are constant"},
    };
}

}  // namespace adiabat::net
