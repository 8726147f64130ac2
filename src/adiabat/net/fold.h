// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constant folding: what does not depend on the input is computed once.
//
// One pass in topological order: infers the shapes of a node, then replaces its outputs by
// constants if all its inputs are constants (evaluate.h) or if what is known of the shapes decides
// its integers (partial_ints.h). A Reshape whose target is known but for one entry, the batch, gets
// the constant target with -1 there, so that networks which compute their shapes at run time become
// plain ones. Intermediate tensors are released as soon as nobody reads them. A result of more than
// 16 MiB + 32 times the bytes of the parameters, or all work beyond 256 MiB + 1024 times them, is
// left to the runtime: a small file must not fill the memory. O(nodes + elements computed).

#include "adiabat/net/graph.h"

namespace adiabat::net {

// How much memory and work folding may take, from the parameters of the graph as it was read.
struct FoldBudget {
    explicit FoldBudget(const Graph& graph);
    int64_t largest = 0, work_left = 0;  // bytes of one result, bytes read and written in all
};

// Returns how many nodes were folded. Removes what is dead then, and so renumbers the values. Where
// a graph is folded again and again (simplify.h) its parameters grow: the budget is made once.
int fold_constants(Graph& graph, FoldBudget& budget);
int fold_constants(Graph& graph);

}  // namespace adiabat::net
