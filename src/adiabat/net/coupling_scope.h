// SPDX-License-Identifier: Apache-2.0
#pragma once

// What a coupling rule sees and says; private to channel coupling (coupling.h). A rule is a
// function of one node: it reads the labels of the inputs' axes and sets the outputs', ties what
// must be cut together, freezes what cannot be cut. An output's axis that is not set is never cut.

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "adiabat/net/coupling.h"
#include "adiabat/net/describe.h"

namespace adiabat::net {

// A label before groups are numbered: an element of the union-find.
using Atom = int32_t;
// The labels along an axis; null for an axis that is never cut.
using Labels = std::shared_ptr<const std::vector<Atom>>;

// Axes that are followed are no longer than this, and all arrays of labels together no longer than
// that: networks stay far below, and a hostile file of a few bytes may name any size.
inline constexpr int64_t kMaxLabels = int64_t{1} << 22;
inline constexpr int64_t kMaxLabelsInAll = int64_t{1} << 25;

// Union-find over labels: what each class is frozen for and who makes it.
class LabelForest {
  public:
    Atom fresh(int maker = -1);  // a node that makes the channel, -1 for none
    Atom root(Atom atom);
    void tie(Atom a, Atom b);
    // The first reason stays.
    void freeze(Atom atom, int reason);
    int reason(Atom atom) { return frozen_[static_cast<size_t>(root(atom))]; }
    bool is_made(Atom atom) { return made_[static_cast<size_t>(root(atom))] != 0; }
    // Of the atom itself, not of its class.
    int maker(Atom atom) const { return maker_[static_cast<size_t>(atom)]; }
    size_t size() const { return parent_.size(); }

  private:
    std::vector<Atom> parent_;
    std::vector<int> frozen_;  // index of a reason, -1 for none
    std::vector<int> maker_;
    std::vector<uint8_t> made_;
};

// An axis that a Reshape has split. All values between the split and a merge share it.
struct SplitAxis {
    ValueId source = kNoValue;
    int axis = 0;  // of the source
    Shape extents;
    std::vector<Atom> labels;  // row-major over the extents
    // Whether the parts are one axis of the source, so that they can be merged to it again.
    bool whole = true;
    // The part along which the labels are united, since an operator reads it; -1 while none is.
    int united = -1;
    Labels along;  // the labels of that part
};

// The parts of a split axis as one value has them.
struct JointLabels {
    std::shared_ptr<SplitAxis> split;
    std::vector<int> axes;           // of the value, ascending
    std::vector<int> parts;          // which part of the split each of them is
    Shape extents;                   // of each
    std::vector<int64_t> positions;  // in the source's axis, row-major over the extents
    std::vector<int> others;         // for every other axis of the value the source's axis it was
};

struct ValueLabels {
    std::vector<Labels> axes;
    std::vector<JointLabels> joint;  // at most one
    std::vector<uint8_t> pinned;     // axes of a constant that a reader needs whole
};

struct CouplingState {
    explicit CouplingState(const Graph& g) : graph(g), values(g.values.size()) {}

    const Graph& graph;
    LabelForest forest;
    std::vector<ValueLabels> values;
    std::vector<std::string> reasons;
    std::vector<Movement> movements;
    std::vector<std::shared_ptr<SplitAxis>> moved_from;  // one a movement, or null
    int64_t labels_left = kMaxLabelsInAll;
};

class CouplingScope {
  public:
    CouplingScope(CouplingState& state, int index)
        : node(state.graph.nodes[static_cast<size_t>(index)]), state_(state), index_(index) {}

    const Node& node;

    int opset() const { return state_.graph.opset; }
    const Graph& graph() const { return state_.graph; }
    bool has(size_t input) const { return node.input(input) != kNoValue; }
    bool is_constant(size_t input) const { return state_.graph.constant(node.input(input)); }
    // The shape of an input that is there. The pass only calls rules where all ranks are known.
    const Shape& shape(size_t input) const { return *graph().value(node.input(input)).shape; }
    int rank(size_t input) const { return static_cast<int>(shape(input).size()); }
    const Shape& out_shape(size_t output = 0) const {
        return *graph().value(node.outputs[output]).shape;
    }
    int out_rank(size_t output = 0) const { return static_cast<int>(out_shape(output).size()); }
    bool wants(size_t output) const {
        return output < node.outputs.size() && node.outputs[output] != kNoValue;
    }
    // A constant input's integers, or the attribute's; nothing where they are computed.
    std::optional<std::vector<int64_t>> ints(const char* attribute, size_t input) const;

    // The labels along an input's axis, which may be counted from the back. Parts of a split axis
    // are united.
    Labels labels(size_t input, int axis);
    // The input's axis goes with `labels` (null: it must stay whole): a constant takes them on,
    // anything else is tied.
    void bind(size_t input, int axis, const Labels& labels);
    // The labels of an axis along which a parameter makes channels: new ones where it has none.
    Labels filters(size_t input, int axis);
    void set(size_t output, int axis, Labels labels);
    // All axes of an output as those of an input of the same rank.
    void pass(size_t input, size_t output = 0);

    // Null, and the atoms frozen, where there are too many labels already.
    Labels make(std::vector<Atom> atoms);
    // Atoms that nobody makes; all one where there are too many labels already.
    std::vector<Atom> fresh(int64_t count);
    void tie(const Labels& a, const Labels& b);
    void tie(Atom a, Atom b) { state_.forest.tie(a, b); }

    // Null labels are frozen already. The text is "softmax across channels"; the node is added.
    void freeze(const Labels& labels, const std::string& why);
    void freeze(Atom atom, const std::string& why);
    void freeze_axis(size_t input, int axis, const std::string& why) {
        freeze(labels(input, axis), why);
    }
    void freeze_all(const std::string& why);

    // Split axes. Null where the input has none.
    const JointLabels* joint(size_t input) const;
    // Labels of each element of a joint, in its order.
    std::vector<Atom> atoms_of(const JointLabels& joint) const;
    void set_joint(size_t output, JointLabels joint);
    // The labels of an input's axis that is no part of its split axis; the split one stays split.
    Labels labels_beside_joint(size_t input, int axis);
    // Makes a part of a value's split axis the one that is cut, since an operator reads it: the
    // part that is `axis` of the value, the longest where none is given.
    void unite(ValueId id, int axis = -1);
    // The output's `axis` holds slices of an earlier value, whose axis `from` split where it is
    // given.
    void move(ValueId source, int axis, std::vector<int64_t> positions,
              std::shared_ptr<SplitAxis> from = nullptr);

  private:
    ValueLabels& of(ValueId id);

    CouplingState& state_;
    int index_;
};

using CouplingRule = void (*)(CouplingScope&);

struct NamedCouplingRule {
    const char* op;
    CouplingRule rule;
    const char* note;  // for doc/operators.md: what happens to channels
};

// The tables of the families.
std::vector<NamedCouplingRule> elementwise_coupling_rules();
std::vector<NamedCouplingRule> contraction_coupling_rules();
std::vector<NamedCouplingRule> reduction_coupling_rules();
std::vector<NamedCouplingRule> layout_coupling_rules();
std::vector<NamedCouplingRule> slicing_coupling_rules();

}  // namespace adiabat::net
