// SPDX-License-Identifier: Apache-2.0
#pragma once

// The network in the form that everything after reading works on: shapes known, constants folded,
// nothing that only training needs, batch normalization inside the convolutions before it.

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Removes Identity, and Dropout in inference form. The producer takes over the name of what they
// produced; where that would rename an input or an output of the graph the node stays. Returns how
// many went.
int bypass_identities(Graph& graph);

// fold_constants, bypass_identities, fuse_batch_norm, until nothing changes; then remove_dead and
// infer_shapes. Renumbers the values. Throws InputError as these do.
void simplify(Graph& graph);

}  // namespace adiabat::net
