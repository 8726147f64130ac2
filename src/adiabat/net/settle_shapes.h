// SPDX-License-Identifier: Apache-2.0
#pragma once

// Shape arithmetic that depends on the batch only in appearance.
//
// x.flatten(2) is exported as a Reshape to {Shape(x)[0], Shape(x)[1], -1}: two entries that one
// pass over what is known does not decide (partial_ints.h). Here the arithmetic is folded for three
// batches, with the graph's shapes as they are for each. A small result that is the same for all
// three becomes a constant; a Reshape's target becomes one whose entries are those that are the
// same, 0 where it repeats the input's dimension, and at most one -1. Shapes of which nothing was
// known become known as far as they are the same.
//
// Only where the batch is all that is unknown of the inputs: with images of free sizes, nothing is
// settled. A network that computes its shapes otherwise for some batch than for 1, 1022 and 2055
// images would be changed.

#include "adiabat/net/fold.h"
#include "adiabat/net/graph.h"

namespace adiabat::net {

// Returns how many inputs were settled; nothing where the graph computes no shapes, or has values
// of unknown shape at such batches. The graph's constants have been folded. O(three times folding).
int settle_shapes(Graph& graph, const FoldBudget& budget);

}  // namespace adiabat::net
