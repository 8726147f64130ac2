// SPDX-License-Identifier: Apache-2.0
#pragma once

// What nodes say in numbers about axes that are cut, said anew; private to cut.h.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "adiabat/net/coupling.h"
#include "adiabat/net/graph.h"
#include "adiabat/net/unused_names.h"

namespace adiabat::apply {

class CutScope {
  public:
    // `before` is the graph as it was; `after` the one that is being cut.
    CutScope(const net::Graph& whole, net::Graph& result, const net::Coupling& of_whole,
             std::span<const uint8_t> flags)
        : before(whole), after(result), coupling(of_whole), cut(flags) {}

    const net::Graph& before;
    net::Graph& after;
    const net::Coupling& coupling;
    const std::span<const uint8_t> cut;

    // Whether indices of the axis go.
    bool is_cut(net::ValueId id, int64_t axis) const;
    // Extent of an axis, as it was and as it is left.
    int64_t extent(net::ValueId id, int64_t axis) const;
    int64_t extent_left(net::ValueId id, int64_t axis) const;
    // Indices below `bound` that stay.
    int64_t left_below(net::ValueId id, int64_t axis, int64_t bound) const;
    std::vector<int64_t> kept(net::ValueId id, int64_t axis) const;

    // The integers of input `k`, a constant, or of the attribute; empty where there is neither.
    std::vector<int64_t> ints(const net::Node& node, const char* attribute, size_t k) const;
    // Gives the node these integers, in the form in which it had them.
    void set_ints(net::Node& node, const char* attribute, size_t k, std::vector<int64_t> values);

  private:
    net::UnusedNames names_{after};
};

// Rewrites a node of the graph that is being cut, where it says anything about cut axes.
void rewrite_node(CutScope& scope, net::Node& node);

}  // namespace adiabat::apply
