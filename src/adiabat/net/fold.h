// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constant folding: what does not depend on the input is computed once.
//
// One pass in topological order: infers the shapes of a node, then replaces its outputs by
// constants if all its inputs are constants (evaluate.h) or if what is known of the shapes decides
// its integers (partial_ints.h). A Reshape whose target is known but for one entry, the batch, gets
// the constant target with -1 there, so that networks which compute their shapes at run time become
// plain ones. Intermediate tensors are released as soon as nobody reads them. O(nodes + elements
// computed).

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Returns how many nodes were folded. Removes what is dead then, and so renumbers the values.
int fold_constants(Graph& graph);

}  // namespace adiabat::net
