// SPDX-License-Identifier: Apache-2.0
#pragma once

// A graph in the words of a later operator set, for files that need it: quantized weights along an
// axis came with opset 13, 4-bit types with 21.
//
// Most operators only gained types and options. Those that changed are said anew: attributes that
// became inputs (the bounds of Clip, the axes of Squeeze), defaults that changed (Softmax,
// RoiAlign), operators that were replaced (Upsample, Scatter). The network computes the same.
// Source: the changelog of ONNX's operators, opset 7 to 22.

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Nothing to do at `opset` or later. May add nodes, so indices of nodes do not hold afterwards.
// Throws InputError, and leaves the graph as it was, where an operator cannot be said at the new
// opset: those with graphs of their own, statistics of training, DFT.
// The graph's shapes have been inferred. O(nodes + values).
void raise_opset(Graph& graph, int opset);

}  // namespace adiabat::net
