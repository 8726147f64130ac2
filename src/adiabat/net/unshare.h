// SPDX-License-Identifier: Apache-2.0
#pragma once

// Parameters a channel that operators share by chance.
//
// Exporters store equal tensors once, so that layers whose biases are all zero, or normalizations
// whose scales are all one, read one constant. A layer can be cut and quantized only where its
// parameters are its own, and channels that meet in one constant would have to go together. Layers
// that also share the weight (a head that runs on several scales) mean it, and stay as they are.

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Gives operators copies of real constants that others read as well: the bias of a Conv,
// ConvTranspose or Gemm (layers of one weight share one), the parameters of normalizations, PRelu's
// slope, constants in Add, Sub, Mul, Div. Those of more than 65,536 elements stay shared. Returns
// how many copies there are. O(nodes + values).
int unshare_parameters(Graph& graph);

}  // namespace adiabat::net
