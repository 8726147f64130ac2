// SPDX-License-Identifier: Apache-2.0
#pragma once

// The network in the form that everything after reading works on: shapes known, constants folded,
// nothing that only training needs, batch normalization inside the convolutions before it.

#include "adiabat/net/fold.h"
#include "adiabat/net/graph.h"

namespace adiabat::net {

// Removes what passes its input on: Identity, Dropout in inference form, Cast to the type that is
// there, Concat of one, and Reshape, Transpose, Slice, Pad and kin that change nothing, as far as
// types and shapes are known. The producer takes over the name of an output of the graph, or of
// what a graph inside an attribute reads; where that would rename another such value, or an input,
// the node stays. Returns how many went. O(nodes).
int bypass_identities(Graph& graph);

// bypass_identities, fold_constants, matmuls_to_gemms, fuse_batch_norm, settle_shapes, until
// nothing changes; then unshare_parameters, remove_dead and infer_shapes. Renumbers the values.
// Throws InputError as these do.
void simplify(Graph& graph);
// The same, with what is left of a budget.
void simplify(Graph& graph, FoldBudget& budget);

}  // namespace adiabat::net
