// SPDX-License-Identifier: Apache-2.0
#pragma once

// Batch normalization folded into the convolution or Gemm before it.
//
// BN(W x + b) = s (W x + b - mean) + beta with s = gamma / sqrt(variance + epsilon), channel by
// channel, so W' = s W and b' = s (b - mean) + beta. Computed in double, rounded once. A constant
// that others read too is copied, never changed. O(weights).

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Folds every BatchNormalization in inference form that stands directly behind a Conv or Gemm with
// constant float parameters whose output has no other reader and is no output of the graph. The
// Conv then produces the value that the normalization produced. All others are left alone. Returns
// how many were folded. Values that nobody mentions any more stay until remove_dead.
int fuse_batch_norm(Graph& graph);

}  // namespace adiabat::net
