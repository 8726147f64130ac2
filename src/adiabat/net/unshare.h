// SPDX-License-Identifier: Apache-2.0
#pragma once

// Biases that layers share by chance.
//
// Exporters store equal tensors once, so that layers whose biases are all zero read one constant. A
// layer can be cut and quantized only where its parameters are its own. Layers that also share the
// weight (a head that runs on several scales) mean it, and stay as they are.

#include "adiabat/net/graph.h"

namespace adiabat::net {

// Gives each Conv, ConvTranspose and Gemm that shares its bias with a layer of another weight a copy
// of it. Returns how many got one. O(nodes + values).
int unshare_biases(Graph& graph);

}  // namespace adiabat::net
