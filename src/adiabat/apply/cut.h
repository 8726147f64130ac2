// SPDX-License-Identifier: Apache-2.0
#pragma once

// Surgery: a graph without some of its channel groups and without some of its residual branches.
//
// Every axis with labels (net/coupling.h) loses the indices of the groups that go: parameters are
// sliced, and what a node says in numbers is said anew (the shape of a Reshape, the bounds of a
// Slice, the parts of a Split, the pads of a Pad, the indices of a Gather, the groups of a
// convolution). The cut network computes what the original would if whatever reads a cut channel
// saw zeros there. A movement whose channels are cut becomes a Gather of what is left, and its
// nodes disappear. A dropped branch disappears with its addition. O(parameters).

#include <cstdint>
#include <span>
#include <vector>

#include "adiabat/net/branches.h"
#include "adiabat/net/coupling.h"
#include "adiabat/net/graph.h"

namespace adiabat::apply {

// Indices of an axis that stay, ascending; `cut` has one entry a group, 1 where it goes.
std::vector<int64_t> kept_indices(const net::AxisLabels& labels, std::span<const uint8_t> cut);

// The slices of a tensor at `kept` along an axis, whatever its elements of whole bytes are.
net::Tensor take(const net::Tensor& tensor, size_t axis, const std::vector<int64_t>& kept);

// `coupling` is that of `graph`, `dropped` some of its branches. Values keep their numbers (nodes
// do not, where some disappear); shapes are inferred anew. Throws InputError where an axis would
// lose all its indices.
net::Graph cut_groups(const net::Graph& graph, const net::Coupling& coupling,
                      std::span<const uint8_t> cut, std::span<const net::Branch> dropped = {});

}  // namespace adiabat::apply
