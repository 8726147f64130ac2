// SPDX-License-Identifier: Apache-2.0
#pragma once

// The maps of a layer's probe applied to a batch, on the engine: a graph of convolutions (or Gemms)
// of the layer's own window.
//
//   residuals   e = K (x - mean x)           [N, groups x rows, positions]
//   roundings   (W_b - W)(x - mean x)        [N, groups x widths x filters, positions]
//   pullback    V' g, the rows of K alone    [N, groups x rows, positions]
//
// so that a cut's effect along a direction is -sum over its rows and positions of e times the
// pullback of the output's gradient, a width's the sum of its roundings times the gradient: O(D^2
// P) an image and O(F D P) an image and direction, never an F x D gradient for every candidate.

#include <memory>

#include "adiabat/net/engine.h"
#include "adiabat/sense/layer_probe.h"

namespace adiabat::sense {

class ProbeProducts {
  public:
    // Without widths there are no roundings: their effects are found otherwise (weight_slopes.h).
    ProbeProducts(const Candidates& candidates, size_t layer, const LayerProbe& probe,
                  bool with_widths, net::Engine& engine, const net::EngineOptions& options);

    bool has_widths() const { return has_widths_; }

    struct OfInputs {
        net::Tensor residuals;  // empty where there are no cuts
        net::Tensor roundings;  // empty without widths
    };
    OfInputs of_inputs(const net::Tensor& x);
    // Empty where there are no cuts.
    net::Tensor pullback(const net::Tensor& gradient);

  private:
    bool has_cuts_, has_widths_;
    std::unique_ptr<net::Session> inputs_, gradients_;
};

}  // namespace adiabat::sense
