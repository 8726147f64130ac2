// SPDX-License-Identifier: Apache-2.0
#pragma once

// Small integer tensors of which some entries are known: what shape arithmetic is made of.
//
// Shape of [N, 24, 8, 8] is {?, 24, 8, 8}; Gather, Slice, Concat, (Un)squeeze, Cast and the four
// operations of arithmetic carry the known entries along, so that a Reshape to {?, 2, 12, 8, 8}
// becomes one to
// {-1, 2, 12, 8, 8} although the batch is never known. Scalars and vectors of up to kMaxPartialInts
// entries; everything else has no entry here. One pass, O(nodes).

#include <cstdint>
#include <optional>
#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

inline constexpr size_t kMaxPartialInts = 64;

struct PartialInts {
    bool scalar = false;
    std::vector<std::optional<int64_t>> entries;
    // Whether every entry that is not known is a dimension as it stands, not computed from one.
    bool plain = true;

    bool all_known() const;
    // Entries that are not known.
    size_t unknown() const;
    // The entries; all must be known.
    std::vector<int64_t> values() const;
};

// What is known of every value, by id; grows as nodes are visited in order.
class PartialTable {
  public:
    // Knows the integer constants of the graph, of which it keeps a reference.
    explicit PartialTable(const Graph& graph);

    // What is known of the value, null where nothing is. kNoValue is allowed.
    const PartialInts* find(ValueId id) const;
    // All entries of the value, where every one is known.
    std::optional<std::vector<int64_t>> ints(ValueId id) const;

    // Evaluates the node as far as it goes; its inputs' shapes and entries must be there already.
    void visit(const Node& node);

    // Takes note of a value that has become a constant.
    void learn(ValueId id);

  private:
    const Graph& graph_;
    std::vector<std::optional<PartialInts>> known_;
};

}  // namespace adiabat::net
