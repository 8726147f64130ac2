// SPDX-License-Identifier: Apache-2.0
#include "adiabat/net/coupling_scope.h"

#include <algorithm>
#include <numeric>

#include "adiabat/net/shape_arithmetic.h"

namespace adiabat::net {

Atom LabelForest::fresh(int maker) {
    const auto atom = static_cast<Atom>(parent_.size());
    parent_.push_back(atom);
    frozen_.push_back(-1);
    maker_.push_back(maker);
    made_.push_back(maker >= 0);
    return atom;
}

Atom LabelForest::root(Atom atom) {
    while (parent_[static_cast<size_t>(atom)] != atom) {
        Atom& parent = parent_[static_cast<size_t>(atom)];
        parent = parent_[static_cast<size_t>(parent)];  // halves the path
        atom = parent;
    }
    return atom;
}

// The smaller number becomes the root, so that classes are named by what came first.
void LabelForest::tie(Atom a, Atom b) {
    a = root(a);
    b = root(b);
    if (a == b) return;
    if (b < a) std::swap(a, b);
    const auto to = static_cast<size_t>(a), from = static_cast<size_t>(b);
    parent_[from] = a;
    made_[to] |= made_[from];
    if (frozen_[to] < 0 || (frozen_[from] >= 0 && frozen_[from] < frozen_[to])) {
        frozen_[to] = frozen_[from];
    }
}

void LabelForest::freeze(Atom atom, int reason) {
    int& here = frozen_[static_cast<size_t>(root(atom))];
    if (here < 0) here = reason;
}

namespace {

// Row-major walk over `extents`: calls visit(index, position), index in the extents' order.
template <typename Visit>
void walk(const Shape& extents, Visit visit) {
    std::vector<int64_t> index(extents.size(), 0);
    const int64_t count = elements(extents);
    for (int64_t position = 0; position < count; ++position) {
        visit(index, position);
        for (size_t k = index.size(); k-- > 0;) {
            if (++index[k] < extents[k]) break;
            index[k] = 0;
        }
    }
}

// Unites the labels of a split axis along one of its parts.
void unite_split(CouplingState& state, SplitAxis& split, int part) {
    if (split.united >= 0) return;
    split.united = part;
    std::vector<Atom> along(static_cast<size_t>(split.extents[static_cast<size_t>(part)]), -1);
    walk(split.extents, [&](const std::vector<int64_t>& index, int64_t position) {
        const auto k = static_cast<size_t>(index[static_cast<size_t>(split.united)]);
        const Atom atom = split.labels[static_cast<size_t>(position)];
        if (along[k] < 0) {
            along[k] = atom;
        } else {
            state.forest.tie(along[k], atom);
        }
    });
    split.along = std::make_shared<const std::vector<Atom>>(std::move(along));
}

}  // namespace

std::optional<std::vector<int64_t>> CouplingScope::ints(const char* attribute, size_t input) const {
    if (node.has(attribute)) return node.ints_or(attribute, {});
    if (!has(input)) return std::vector<int64_t>{};
    const Tensor* tensor = graph().constant(node.input(input));
    if (!tensor || bits_of(tensor->type) < 8) return std::nullopt;
    return tensor->to_ints();
}

ValueLabels& CouplingScope::of(ValueId id) {
    ValueLabels& labels = state_.values[static_cast<size_t>(id)];
    if (labels.axes.empty() && graph().value(id).shape) {
        labels.axes.resize(graph().value(id).shape->size());
        labels.pinned.resize(labels.axes.size());
    }
    return labels;
}

Labels CouplingScope::labels(size_t input, int axis) {
    if (!has(input)) return nullptr;
    ValueLabels& value = of(node.input(input));
    if (axis < 0) axis += static_cast<int>(value.axes.size());
    if (axis < 0 || axis >= static_cast<int>(value.axes.size())) return nullptr;
    if (!value.joint.empty()) unite(node.input(input));
    return value.axes[static_cast<size_t>(axis)];
}

void CouplingScope::bind(size_t input, int axis, const Labels& labels) {
    if (!has(input)) return;
    ValueLabels& value = of(node.input(input));
    if (axis < 0) axis += static_cast<int>(value.axes.size());
    const Labels here = this->labels(input, axis);
    const auto place = static_cast<size_t>(axis);
    if (here) {
        if (labels) {
            tie(here, labels);
        } else {
            freeze(here, "meets channels that are never cut");
        }
    } else if (is_constant(input) && labels && !value.pinned[place]) {
        value.axes[place] = labels;
    } else if (is_constant(input) && !labels) {
        value.pinned[place] = 1;
    } else if (labels) {
        const std::string name = graph().value(node.input(input)).name;
        freeze(labels, "meets " + name + ", which is never cut there");
    }
}

Labels CouplingScope::filters(size_t input, int axis) {
    if (!is_constant(input)) return labels(input, axis);
    ValueLabels& value = of(node.input(input));
    if (axis < 0) axis += static_cast<int>(value.axes.size());
    const auto place = static_cast<size_t>(axis);
    if (value.axes[place] || value.pinned[place]) return value.axes[place];
    const int64_t count = shape(input)[place];
    if (count > kMaxLabels) return nullptr;
    std::vector<Atom> atoms(static_cast<size_t>(count));
    for (Atom& atom : atoms) atom = state_.forest.fresh(index_);
    return value.axes[place] = make(std::move(atoms));
}

void CouplingScope::set(size_t output, int axis, Labels labels) {
    if (!wants(output)) return;
    ValueLabels& value = of(node.outputs[output]);
    if (axis < 0) axis += static_cast<int>(value.axes.size());
    const auto place = static_cast<size_t>(axis);
    ADIABAT_CHECK(place < value.axes.size(), "{} sets axis {} of {}", node.op, axis,
                  value.axes.size());
    if (labels && static_cast<int64_t>(labels->size()) != out_shape(output)[place]) {
        freeze(labels, "has an output of unexpected shape");
        return;
    }
    value.axes[place] = std::move(labels);
}

void CouplingScope::pass(size_t input, size_t output) {
    if (!wants(output)) return;
    for (int axis = 0; axis < rank(input); ++axis) set(output, axis, labels(input, axis));
}

Labels CouplingScope::make(std::vector<Atom> atoms) {
    auto labels = std::make_shared<const std::vector<Atom>>(std::move(atoms));
    state_.labels_left -= std::ssize(*labels);
    if (state_.labels_left >= 0) return labels;
    freeze(labels, "is behind more channels than are followed");
    return nullptr;
}

std::vector<Atom> CouplingScope::fresh(int64_t count) {
    ADIABAT_CHECK(count <= kMaxLabels, "{} labels", count);
    if (count > state_.labels_left) {
        return std::vector<Atom>(static_cast<size_t>(count), state_.forest.fresh());
    }
    std::vector<Atom> atoms(static_cast<size_t>(count));
    for (Atom& atom : atoms) atom = state_.forest.fresh();
    return atoms;
}

void CouplingScope::tie(const Labels& a, const Labels& b) {
    if (!a || !b || a->size() != b->size()) {
        freeze(a, "meets channels that are never cut");
        freeze(b, "meets channels that are never cut");
        return;
    }
    if (a == b) return;
    for (size_t k = 0; k < a->size(); ++k) state_.forest.tie((*a)[k], (*b)[k]);
}

void CouplingScope::freeze(const Labels& labels, const std::string& why) {
    if (!labels || labels->empty()) return;
    state_.reasons.push_back(fmt::format("{}: {}", describe(graph(), node), why));
    for (Atom atom : *labels) {
        state_.forest.freeze(atom, static_cast<int>(state_.reasons.size()) - 1);
    }
}

void CouplingScope::freeze(Atom atom, const std::string& why) {
    freeze(std::make_shared<const std::vector<Atom>>(1, atom), why);
}

void CouplingScope::freeze_all(const std::string& why) {
    for (size_t input = 0; input < node.inputs.size(); ++input) {
        if (!has(input)) continue;
        const size_t axes = of(node.input(input)).axes.size();
        for (size_t axis = 0; axis < axes; ++axis) {
            freeze_axis(input, static_cast<int>(axis), why);
            of(node.input(input)).pinned[axis] = 1;
        }
    }
}

const JointLabels* CouplingScope::joint(size_t input) const {
    if (!has(input)) return nullptr;
    const auto& joint = state_.values[static_cast<size_t>(node.input(input))].joint;
    return joint.empty() || joint[0].split->united >= 0 ? nullptr : &joint[0];
}

std::vector<Atom> CouplingScope::atoms_of(const JointLabels& joint) const {
    std::vector<Atom> atoms;
    atoms.reserve(joint.positions.size());
    for (int64_t position : joint.positions) {
        atoms.push_back(joint.split->labels[static_cast<size_t>(position)]);
    }
    return atoms;
}

void CouplingScope::set_joint(size_t output, JointLabels joint) {
    if (!wants(output)) return;
    of(node.outputs[output]).joint = {std::move(joint)};
}

Labels CouplingScope::labels_beside_joint(size_t input, int axis) {
    return of(node.input(input)).axes[static_cast<size_t>(axis)];
}

void CouplingScope::unite(ValueId id, int axis) {
    ValueLabels& value = of(id);
    for (const JointLabels& joint : value.joint) {
        const Shape& extents = joint.split->extents;
        auto part =
            static_cast<int>(std::max_element(extents.begin(), extents.end()) - extents.begin());
        for (size_t k = 0; k < joint.axes.size(); ++k) {
            if (joint.axes[k] == axis) part = joint.parts[k];
        }
        unite_split(state_, *joint.split, part);
        bool found = false;
        for (size_t k = 0; k < joint.axes.size(); ++k) {
            if (joint.parts[k] != joint.split->united) continue;
            value.axes[static_cast<size_t>(joint.axes[k])] = joint.split->along;
            found = true;
        }
        // The part was selected away: what is left of it is one index that everybody needs.
        if (!found) freeze(joint.split->along, "reads one index of a split axis");
    }
    value.joint.clear();
}

void CouplingScope::move(ValueId source, int axis, std::vector<int64_t> positions,
                         std::shared_ptr<SplitAxis> from) {
    state_.movements.push_back({index_, source, axis, std::move(positions)});
    state_.moved_from.push_back(std::move(from));
}

}  // namespace adiabat::net
