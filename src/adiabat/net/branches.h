// SPDX-License-Identifier: Apache-2.0
#pragma once

// Residual branches: what an addition adds to a path that goes on without it.
//
// Where Add joins a branch and a skip path, and the branch starts from what the skip path starts
// from, the branch can go whole: the addition becomes its other operand and every node that served
// the branch alone disappears. Of two operands the one with more layers is the branch. A Relu
// behind the addition goes too where it would find nothing to do: the skip path comes from one.
// O(nodes) an addition.

#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

struct Branch {
    int add = -1;               // the addition
    int operand = 0;            // which of its two inputs goes
    int last = -1;              // the node whose output the skip path takes: the addition or a Relu
    std::vector<int> nodes;     // that serve the branch alone, ascending
    std::vector<int> weighted;  // those of them with weights: convolutions, Gemms, MatMuls
};

// The operand that goes on.
ValueId skip_of(const Graph& graph, const Branch& branch);

// In the order of the additions. The graph's shapes have been inferred.
std::vector<Branch> find_branches(const Graph& graph);

}  // namespace adiabat::net
