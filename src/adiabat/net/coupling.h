// SPDX-License-Identifier: Apache-2.0
#pragma once

// Channel coupling: which channels of a network must be cut together, and what is cut with them.
//
// Every index of every axis of a value carries a label, the group it goes with. A parameter that
// makes channels (the filter axis of a convolution, the columns of a MatMul) starts new labels; one
// rule an operator (coupling_rules_*.cpp) carries the labels of its inputs' axes to its outputs and
// its other parameters and says which labels must be one: where values are added, where a depthwise
// convolution passes them, where a concatenation puts them behind others, where a Flatten repeats
// each for every pixel. What must be one is united (union-find), in whatever order the operators
// stand, so that a group is the channels of a residual stream over a whole stage, a gate with what
// it gates, or two filters that a grouped convolution ties; no architecture is known by name.
//
// Labels that leave the network, meet an axis that is never cut (the network's own input), are
// mixed by an operator that needs all of them (Softmax, LayerNormalization), reach an operator
// without a rule, or are a whole axis are frozen, with the reason.
//
// A reshape may split an axis in two that no single cut leaves rectangular, as a channel shuffle
// does (Reshape, Transpose, Reshape). Such a pair of axes carries its labels jointly; where it is
// merged again the network is cut by a Gather in place of the three (a Movement), where any other
// operator reads it, the labels along one of the axes are united.
//
// O(sum of all axes' extents) but for the inverse of Ackermann's function. Sources: the idea of
// dependency graphs in G. Fang et al., "DepGraph: Towards Any Structural Pruning" (2023); union of
// index sets is ours.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

using GroupId = int32_t;
inline constexpr GroupId kStays = -1;  // of an index that is never cut

// The groups along an axis, one an index. Values whose axes are cut alike share one of these.
struct AxisLabels {
    std::vector<GroupId> groups;
    // Families (below) on this axis, and how many indices each of their groups has here.
    struct Share {
        int family = -1;
        int64_t count = 0;
    };
    std::vector<Share> shares;
};

// Channels that go together. Cutting a group takes its indices out of every axis that has them.
struct ChannelGroup {
    int family = -1;
    int member = -1;  // index among the family's groups
};

// Groups that are alike: on the same axes, with the same number of indices on each, so that any
// two of them cost the same. The unit of what a layer must keep: one group of each family stays.
struct GroupFamily {
    std::vector<GroupId> groups;
    std::vector<int> makers;   // nodes whose parameters make these channels, ascending
    std::vector<int> readers;  // nodes whose parameters lose inputs, ascending
    // Of the first maker's filter axis, indices of one group: a --align of 8 cuts 8 / count groups
    // at once.
    int64_t channels = 1;
};

// Channels of one maker that are never cut.
struct Frozen {
    int maker = -1;  // node
    int64_t channels = 0;
    std::string reason;
};

// Axes of a value that carry labels together, row-major over their extents: entry [i, j] is
// computed from index positions[i, j] of `axis` of `source`.
struct JointAxes {
    ValueId value = kNoValue;
    std::vector<int> axes;
};

// A node whose output is a selection of the slices of an earlier value, in another order:
// output[.., k, ..] = source[.., positions[k], ..].
struct Movement {
    int node = -1;
    ValueId source = kNoValue;
    int axis = 0;  // of the source and of the output
    std::vector<int64_t> positions;
};

struct Coupling {
    std::vector<AxisLabels> labels;
    // For every value, one entry an axis: index in `labels`, -1 for an axis that is never cut.
    std::vector<std::vector<int>> axes;
    std::vector<ChannelGroup> groups;
    std::vector<GroupFamily> families;  // in the order of their first makers
    std::vector<Frozen> frozen;         // in the order of the makers, each reason once
    std::vector<JointAxes> joint;
    std::vector<Movement> movements;  // at most one a node

    // The groups along an axis, null where it is never cut.
    const AxisLabels* labels_of(ValueId id, int64_t axis) const;
};

struct CouplingOptions {
    // Why the channels that a node of that name makes must stay, empty where they may go. A node
    // without a name has that of its first output.
    std::function<std::string(const std::string&)> keep;
};

// The graph's shapes have been inferred and its constants folded.
Coupling find_coupling(const Graph& graph, const CouplingOptions& options = {});

}  // namespace adiabat::net
