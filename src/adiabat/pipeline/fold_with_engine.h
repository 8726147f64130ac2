// SPDX-License-Identifier: Apache-2.0
#pragma once

// Constant folding of what the small evaluator (net/evaluate.h) does not know.
//
// Networks that standardize their weights, or reparameterize them, hold whole expressions of
// parameters: means, normalizations, products. They are computed by the engine, once, so that a
// layer behind them has a constant weight that can be cut and quantized.

#include "adiabat/net/fold.h"
#include "adiabat/net/graph.h"

namespace adiabat::pipeline {

// Returns how many values became constants. The graph has been simplified, and is to be simplified
// again where the result is not 0. The engine is loaded only where there is something to fold;
// where it cannot be loaded or cannot run it, nothing is folded. All results together are at most
// as large as folding may make one (net/fold.h). O(nodes) and the run.
int fold_with_engine(net::Graph& graph, net::FoldBudget& budget);

}  // namespace adiabat::pipeline
