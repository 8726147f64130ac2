// SPDX-License-Identifier: Apache-2.0
#pragma once

// A network that computes in half precision or in double, as one that computes in float.
//
// Every value of float16, bfloat16 or double becomes float: parameters are converted (half ones
// exactly, doubles rounded), operators that name a type name float. Inputs and outputs of the
// network keep their types: a Cast stands behind each such input and before each such output.
// Precision only grows where it was half; where it was double it shrinks to 24 bits. O(parameters).

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Whether a convolution, a Gemm or a MatMul computes in one of these types. Types must have been
// inferred.
bool needs_float32(const Graph& graph);

// Returns false, the graph untouched, for a network that does not need it. Infers the shapes before
// and after. Throws InputError where it cannot be done: for an operator without a shape rule, for
// one that holds a graph of its own, and for a double parameter beyond the floats.
bool to_float32(Graph& graph);

}  // namespace adiabat::net
