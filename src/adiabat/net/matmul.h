// SPDX-License-Identifier: Apache-2.0
#pragma once

// Products of a matrix and a constant one as Gemms, which are layers: cut, quantized, given integer
// kernels.
//
// Some exporters write a fully connected layer as MatMul and Add. Where the input has two axes (one
// row an image), MatMul(x, W) is Gemm(x, W), and a vector added to it, if nothing else reads the
// product, is the Gemm's bias. Inputs of more axes (a row for every position) are left alone.
// O(nodes).

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Needs inferred shapes. The Gemm has the node name of the MatMul and makes the value that the Add
// made. Returns how many there are. Values that nobody mentions any more stay until remove_dead.
int matmuls_to_gemms(Graph& graph);

}  // namespace adiabat::net
