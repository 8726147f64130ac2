// SPDX-License-Identifier: Apache-2.0
#pragma once

// Residual branches: what an addition adds to a path that goes on without it.
//
// Where Add joins a branch and a skip path, and the branch starts from what the skip path starts
// from, the branch can go whole: the addition becomes its other operand and every node that served
// the branch alone disappears. Of two operands the one with more layers is the branch. O(nodes) an
// addition.

#include <vector>

#include "adiabat/net/graph.h"

namespace adiabat::net {

struct Branch {
    int add = -1;               // the addition
    int operand = 0;            // which of its two inputs goes
    std::vector<int> nodes;     // that serve the branch alone, ascending
    std::vector<int> weighted;  // those of them with weights: convolutions, Gemms, MatMuls
};

// In the order of the additions. The graph's shapes have been inferred.
std::vector<Branch> find_branches(const Graph& graph);

}  // namespace adiabat::net
